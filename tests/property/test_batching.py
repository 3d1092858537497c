from hypothesis import given
from hypothesis import strategies as st

from worker.batching import MAX_BATCH_WINDOWS, Cost, cut

LENGTHS = st.lists(st.integers(min_value=2, max_value=512), max_size=80)
BUDGETS = st.integers(min_value=64, max_value=4096)


@given(LENGTHS, BUDGETS)
def test_every_window_is_in_exactly_one_run(lengths: list[int], budget: int) -> None:
    runs = cut(lengths, budget, Cost())

    assert sorted(position for run in runs for position in run) == list(range(len(lengths)))


@given(LENGTHS, BUDGETS)
def test_runs_keep_the_budget_of_padded_tokens(lengths: list[int], budget: int) -> None:
    for run in cut(lengths, budget, Cost()):
        longest = max(lengths[position] for position in run)
        assert len(run) == 1 or len(run) * longest <= budget
        assert len(run) <= MAX_BATCH_WINDOWS


@given(LENGTHS, BUDGETS)
def test_runs_cost_no_more_than_windows_alone_or_greedy_runs(lengths: list[int], budget: int) -> None:
    cost = Cost()
    chosen = sum(cost.of(len(run), max(lengths[each] for each in run)) for run in cut(lengths, budget, cost))

    alone = sum(cost.of(1, length) for length in lengths)
    greedy = sum(cost.of(len(run), max(run)) for run in _greedy(sorted(lengths), budget))

    assert chosen <= min(alone, greedy) * (1 + 1e-9)


def _greedy(lengths: list[int], budget: int) -> list[list[int]]:
    runs: list[list[int]] = []
    for length in lengths:
        if runs and (len(runs[-1]) + 1) * length <= budget and len(runs[-1]) < MAX_BATCH_WINDOWS:
            runs[-1].append(length)
        else:
            runs.append([length])
    return runs
