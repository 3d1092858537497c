from hypothesis import given
from hypothesis import strategies as st

from tests.records import incoming
from worker.ordering import KeyOrder
from worker.progress import PartitionProgress, Progress
from worker.records import Answered


@given(st.sets(st.integers(min_value=0, max_value=60), min_size=1), st.randoms(use_true_random=False))
def test_no_offset_is_committed_before_all_earlier_ones_are_done(offsets: set[int], random: object) -> None:
    progress = PartitionProgress()
    taken = sorted(offsets)
    for offset in taken:
        progress.take(offset, 0.0)
    order = taken.copy()
    random.shuffle(order)  # type: ignore[attr-defined]

    done: set[int] = set()
    for offset in order:
        progress.finish(offset)
        done.add(offset)
        unfinished = [each for each in taken if each not in done]
        expected = max((each for each in done if not unfinished or each < unfinished[0]), default=None)
        assert progress.next_offset == (None if expected is None else expected + 1)

    assert len(progress) == 0
    assert progress.next_offset == taken[-1] + 1


@given(
    st.lists(st.tuples(st.integers(0, 1), st.sampled_from([None, b"a", b"b"])), max_size=30),
    st.randoms(use_true_random=False),
)
def test_records_of_a_key_leave_in_the_order_they_came(lanes: list[tuple[int, bytes | None]], random: object) -> None:
    order = KeyOrder()
    records = [incoming(partition=partition, key=key, offset=at) for at, (partition, key) in enumerate(lanes)]
    for record in records:
        order.enter(record)
    completed = records.copy()
    random.shuffle(completed)  # type: ignore[attr-defined]

    left = [record for each in completed for record, _ in order.complete(each, Answered(str(each.offset), b"result"))]

    assert sorted(record.offset for record in left) == list(range(len(records)))
    for lane in {(partition, key) for partition, key in lanes if key is not None}:
        offsets = [record.offset for record in left if (record.partition, record.key) == lane]
        assert offsets == sorted(offsets)
    assert len(order) == 0


def test_late_outcome_of_a_moved_partition_commits_nothing() -> None:
    progress = Progress()
    before = progress.of("t", 0)
    before.take(5, 0.0)

    given_up = progress.abandon_all()
    before.finish(5)

    assert given_up == 1
    assert before.is_abandoned
    assert progress.committable("t", 0) is None
