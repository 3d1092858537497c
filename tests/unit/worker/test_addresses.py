"""Reply addresses: wrong ones are refused cheaply, and a silent broker refuses none."""

import pytest
from aiokafka.errors import KafkaConnectionError

from schemas.errors import InvalidHeader
from worker import addresses
from worker.addresses import Addresses

pytestmark = pytest.mark.anyio


class Cluster:
    def __init__(self, *answers: dict[str, set[int]] | Exception) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def list_partitions(self) -> dict[str, set[int]]:
        self.asked += 1
        answer = self.answers[0] if len(self.answers) == 1 else self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


async def test_an_address_that_is_there_is_looked_up_once() -> None:
    cluster = Cluster({"replies": {0, 1}})
    known = Addresses(cluster.list_partitions)

    for partition in (0, 1, None):
        await known.check("replies", partition)

    assert cluster.asked == 1


@pytest.mark.parametrize(("topic", "partition"), [("elsewhere", 0), ("elsewhere", None), ("replies", 2)])
async def test_wrong_addresses_are_refused_with_one_look(topic: str, partition: int | None) -> None:
    cluster = Cluster({"replies": {0, 1}})
    known = Addresses(cluster.list_partitions)

    for _ in range(10):
        with pytest.raises(InvalidHeader, match=topic):
            await known.check(topic, partition)

    assert cluster.asked == 1


async def test_a_topic_made_later_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "LOOK_AGAIN_S", 0.0)
    known = Addresses(Cluster({}, {"replies": {0}}).list_partitions)
    with pytest.raises(InvalidHeader):
        await known.check("replies", 0)

    await known.check("replies", 0)


async def test_a_silent_broker_says_nothing_about_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "_RETRY_S", 0.0)
    cluster = Cluster(KafkaConnectionError(), KafkaConnectionError(), {"replies": {0}})
    known = Addresses(cluster.list_partitions)

    await known.check("replies", 0)

    assert cluster.asked == 3
