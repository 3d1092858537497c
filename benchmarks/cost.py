"""`python -m benchmarks.cost`: fit the cost model of `worker.batching` on this machine, and try token budgets.

Times are CPU time of the calling thread, so that other work on the machine disturbs them little.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from time import thread_time

import numpy as np

from benchmarks.texts import draw_texts
from worker.batching import Batch, Cost, cut, pad
from worker.bundle import load_bundle
from worker.encoder import Encoder
from worker.tokenizer import Passage, Tokenizer, Window

LENGTHS = (8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384)
ROWS = (1, 2, 4, 8, 16, 32)
LARGEST_TOKENS = 1_024
BUDGETS = (64, 128, 192, 256, 384, 512, 768, 1_024, 2_048)
PLANNED = 128
"""Windows cut into runs together, as the worker does at most under load."""


def main() -> None:
    """Print the fitted cost and what each budget costs."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cost", description=__doc__)
    parser.add_argument("--bundle", type=Path, default=Path("models/minilm"), help="directory of the model bundle")
    parser.add_argument("--rounds", type=int, default=9, help="times that each shape is run; the median counts")
    options = parser.parse_args()
    bundle = load_bundle(options.bundle)
    encoder = Encoder(bundle.model, bundle.manifest.outputs)
    times = measure_shapes(encoder, options.rounds)
    print_fit(times, fit(times))
    tokenizer = Tokenizer(bundle.tokenizer, bundle.manifest.window, bundle.manifest.token_types)
    readings = tokenizer.read_all([Passage(text) for text in draw_texts(400)])
    windows = [window for reading in readings for window in reading.windows]
    print_budgets(encoder, windows, fit(times), max(3, options.rounds // 3))


def measure_shapes(encoder: Encoder, rounds: int) -> dict[tuple[int, int], float]:
    """Return the median CPU microseconds of a run for shapes of (windows, tokens), measured in turn."""
    batches = {(rows, m): _batch(rows, m) for m in LENGTHS for rows in ROWS if rows * m <= LARGEST_TOKENS}
    found: dict[tuple[int, int], list[float]] = {shape: [] for shape in batches}
    for round_ in range(rounds + 1):
        for shape, batch in batches.items():
            spent_us = _cpu_us(encoder, batch)
            if round_:  # the first one fills caches and the memory arena
                found[shape].append(spent_us)
    return {shape: median(each) for shape, each in found.items()}


def fit(times: dict[tuple[int, int], float]) -> Cost:
    """Return the cost whose relative error over all shapes is least, no part of it below zero."""
    terms = np.array([(1.0, rows * m, rows * m * m) for rows, m in times])
    weights = 1 / np.array(list(times.values()))
    parts = [0, 1, 2]
    while True:
        solved = np.linalg.lstsq(terms[:, parts] * weights[:, None], np.ones(len(times)), rcond=None)[0]
        if (solved >= 0).all():
            break
        parts.pop(int(solved.argmin()))
    found = dict(zip(parts, solved.tolist(), strict=True))
    return Cost(*(float(found.get(part, 0.0)) for part in range(3)))


def print_fit(times: dict[tuple[int, int], float], cost: Cost) -> None:
    """Print each shape's time beside the model's."""
    print("tokens x windows: CPU us measured (tokens/s), fitted")
    for (rows, m), spent_us in times.items():
        print(f"{m:6} x {rows:3} {spent_us:9.0f} ({rows * m / spent_us * 1e6:7.0f}) {cost.of(rows, m):9.0f}")
    print(f"\nCost(run={cost.run:.0f}, token={cost.token:.2f}, square={cost.square:.4f})")


def print_budgets(encoder: Encoder, windows: Sequence[Window], cost: Cost, rounds: int) -> None:
    """Print the CPU time of the benchmark's texts for each budget, cut with the fitted cost and with the default."""
    plans: dict[tuple[str, int], list[Batch]] = {("one by one", 0): [pad([window]) for window in windows]}
    for name, tried in (("fitted", cost), ("default", Cost())):
        plans |= {(name, budget): _plan(windows, budget, tried) for budget in BUDGETS}
    spent: dict[tuple[str, int], list[float]] = {plan: [] for plan in plans}
    for _ in range(rounds):
        for plan, batches in plans.items():
            spent[plan].append(sum(_cpu_us(encoder, batch) for batch in batches))
    tokens = sum(len(window) for window in windows)
    print(f"\n{len(windows)} windows, {tokens} tokens, {PLANNED} planned together")
    for (name, budget), each in spent.items():
        padded = sum(batch.padded_tokens for batch in plans[name, budget])
        runs = len(plans[name, budget])
        rate = tokens / median(each) * 1e6
        print(
            f"{name:10} {budget:5}: {rate:7.0f} tokens per CPU-second, {runs:4} runs, "
            f"{1 - tokens / padded:5.1%} padding"
        )


def _plan(windows: Sequence[Window], budget: int, cost: Cost) -> list[Batch]:
    batches = []
    for begin in range(0, len(windows), PLANNED):
        waiting = windows[begin : begin + PLANNED]
        runs = cut([len(window) for window in waiting], budget, cost)
        batches += [pad([waiting[position] for position in run]) for run in runs]
    return batches


def _batch(rows: int, m: int) -> Batch:
    ids = np.random.default_rng(m).integers(1_000, 30_000, (rows, m))
    return Batch(ids, np.ones_like(ids), ids % 2, ids.size)


def _cpu_us(encoder: Encoder, batch: Batch) -> float:
    started = thread_time()
    encoder.run(batch)
    return (thread_time() - started) * 1e6


if __name__ == "__main__":
    main()
