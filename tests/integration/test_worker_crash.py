"""A worker that dies in the middle of its work loses nothing."""

import pytest

from tests.integration.caller import Caller, ids_of
from tests.integration.load import first_seen, requests, sent_ids
from tests.integration.workers import NewWorker

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(240)]

LONG_SESSION_S = 120


async def test_three_kills_in_mid_load_lose_nothing(caller: Caller, new_worker: NewWorker) -> None:
    sent = requests(caller.topics, 0, 480)
    await caller.send(sent)
    worker = new_worker("worker")

    for _ in range(3):
        worker.start()
        await worker.produces(50)
        worker.kill()
        assert await caller.unfinished() > 0, "the kill came after the work"
    worker.start()
    await caller.settled()

    outputs = await caller.outputs()
    assert set(ids_of(outputs)) == set(sent_ids(sent))
    assert all(ids == sorted(ids) for ids in first_seen(outputs).values())
    assert not [output for output in outputs if output.topic == caller.topics.dead_letters]


async def test_a_worker_with_an_instance_id_is_back_before_its_session_ends(
    caller: Caller, new_worker: NewWorker
) -> None:
    sent = requests(caller.topics, 0, 160)
    await caller.send(sent)
    worker = new_worker("worker", instance="one", session_timeout_s=LONG_SESSION_S)
    worker.start()
    await worker.produces(20)

    worker.kill()
    worker.start()
    await caller.settled(within_s=LONG_SESSION_S / 2)

    assert set(ids_of(await caller.outputs())) == set(sent_ids(sent))
