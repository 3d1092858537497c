"""Workers that come and go under load: nothing is lost, nothing is done twice that need not be, order holds."""

import pytest

from tests.integration.caller import Caller, ids_of
from tests.integration.load import Load, first_seen, requests, sent_ids
from tests.integration.polling import eventually
from tests.integration.workers import NewWorker, WorkerProcess

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(240)]

LONG_SESSION_S = 120


async def test_workers_join_and_leave_under_load(caller: Caller, new_worker: NewWorker) -> None:
    first, second = new_worker("first"), new_worker("second")

    async with Load(caller) as load:
        first.start()
        await first.produces(40)
        second.start()
        await second.ready()
        await second.produces(40)
        first.terminate()
        assert await first.ended() == 0
        first.start()
        await first.ready()
        await first.produces(40)
        await second.produces(40)
    await caller.settled()

    outputs = await caller.outputs()
    assert set(ids_of(outputs)) == set(sent_ids(load.sent))
    assert all(ids == sorted(ids) for ids in first_seen(outputs).values())


async def test_a_worker_told_to_stop_finishes_commits_and_leaves(caller: Caller, new_worker: NewWorker) -> None:
    sent = requests(caller.topics, 0, 400)
    await caller.send(sent)
    # With commits this far apart, and a session this long, only a last commit and a leave can make the test pass.
    leaving = new_worker("leaving", session_timeout_s=LONG_SESSION_S, commit_interval_s=60, max_in_flight_records=64)
    leaving.start()
    await leaving.produces(40)

    leaving.terminate()
    status = await leaving.ended(within_s=40)
    left = await caller.unfinished()
    successor = new_worker("successor", session_timeout_s=LONG_SESSION_S)
    successor.start()
    await successor.ready(within_s=LONG_SESSION_S / 4)
    await caller.settled()

    assert status == 0
    assert 0 < left < len(sent), "it stopped after the work or before it"
    outputs = await caller.outputs()
    assert sorted(ids_of(outputs), key=str) == sorted(sent_ids(sent))
    assert "stopped with 0 records unfinished" in leaving.log


async def test_a_worker_with_an_instance_id_restarts_without_a_rebalance(caller: Caller, new_worker: NewWorker) -> None:
    # With a session this long, only the same id can get the partitions back within the test.
    first, second = (
        new_worker(name, instance=name, session_timeout_s=LONG_SESSION_S, group=f"{caller.topics.prefix}workers")
        for name in ("first", "second")
    )
    first.start()
    second.start()
    await first.ready()
    await second.ready()
    # The second to come makes the first give up what it had, maybe after it was ready.
    await eventually(lambda: _shared(first, second), "both have their share of the partitions")
    shares = [await worker.metric("nlp_partitions_assigned") for worker in (first, second)]
    before = await second.metric("nlp_rebalances_total")

    first.terminate()
    status = await first.ended()
    first.start()
    await first.ready(within_s=LONG_SESSION_S / 2)
    sent = requests(caller.topics, 0, 64)
    await caller.send(sent)
    await caller.settled()

    assert status == 0
    assert [await worker.metric("nlp_partitions_assigned") for worker in (first, second)] == shares
    assert await second.metric("nlp_rebalances_total") == before, "the other worker gave its partitions up"
    assert sorted(ids_of(await caller.outputs()), key=str) == sorted(sent_ids(sent))


async def _shared(*workers: WorkerProcess) -> bool:
    shares = [await worker.metric("nlp_partitions_assigned") for worker in workers]
    return all(shares) and sum(shares) == 24
