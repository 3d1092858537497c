"""Every worker of a group is replaced in its turn, under load: what an upgrade does."""

import pytest

from tests.integration.caller import Caller, ids_of
from tests.integration.load import Load, first_seen, sent_ids
from tests.integration.workers import NewWorker

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(240)]


async def test_a_rolling_restart_loses_nothing_and_keeps_the_order(caller: Caller, new_worker: NewWorker) -> None:
    workers = [new_worker(f"worker-{number}", engine_threads=1) for number in range(3)]

    async with Load(caller) as load:
        for worker in workers:
            worker.start()
        for worker in workers:
            await worker.produces(10)
        for worker in workers:
            worker.terminate()
            assert await worker.ended() == 0
            worker.start()
            await worker.ready()
            # Only one that does its part again may be relied upon while the next is away.
            await worker.produces(10)
    await caller.settled()

    outputs = await caller.outputs()
    assert set(ids_of(outputs)) == set(sent_ids(load.sent))
    assert all(ids == sorted(ids) for ids in first_seen(outputs).values())
    assert not [output for output in outputs if output.topic == caller.topics.dead_letters]
