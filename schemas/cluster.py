"""An administrator's connection to the cluster, and what stands there already."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError

from schemas.access import check_access
from schemas.acls import Acl
from schemas.connection import KafkaConnection
from schemas.errors import BrokerUnavailable

RETRY_S = 0.2


@dataclass(frozen=True, slots=True)
class Found:
    """A topic as it stands on the cluster; `settings` are those that were asked for."""

    partitions: int
    replication_factor: int
    settings: dict[str, str]


@asynccontextmanager
async def administer(
    connection: KafkaConnection, acls: Iterable[Acl], deadline: float
) -> AsyncIterator[AIOKafkaAdminClient]:
    """Connect, trying again until the deadline (monotonic seconds) while no broker answers.

    Raises `AccessDenied` at once when the cluster refuses us or one of the rights, `BrokerUnavailable` when none
    answers in time or when it stops answering.
    """
    wanted = tuple(acls)
    while True:
        admin = AIOKafkaAdminClient(**connection.client_options(), client_id="nlp-admin", request_timeout_ms=10_000)
        try:
            async with asyncio.timeout(max(deadline - time.monotonic(), 0.1)):
                await check_access(connection, wanted)
                await admin.start()
            break
        except (BrokerUnavailable, KafkaError, OSError, TimeoutError) as failed:
            await admin.close()
            if time.monotonic() + RETRY_S > deadline:
                raise _unavailable(connection, failed) from failed
        await asyncio.sleep(RETRY_S)
    try:
        yield admin
    except (KafkaError, OSError, TimeoutError) as failed:
        detail = f"the Kafka broker at {connection.bootstrap_servers} stopped answering: {failed!r}"
        raise BrokerUnavailable(detail) from failed
    finally:
        await admin.close()


async def partition_counts(admin: AIOKafkaAdminClient) -> dict[str, int]:
    """Return the number of partitions of every topic that we may see."""
    # All topics are listed: asking for ours by name would create them where the cluster allows it, wrongly sized.
    return {topic["topic"]: len(topic["partitions"]) for topic in await admin.describe_topics()}


async def found_topics(admin: AIOKafkaAdminClient, names: Iterable[str], settings: Iterable[str]) -> dict[str, Found]:
    """Return those of the topics that are there, with the settings named."""
    wanted = set(names)
    there = {topic["topic"]: topic["partitions"] for topic in await admin.describe_topics() if topic["topic"] in wanted}
    asked = dict.fromkeys(settings)
    resources = [ConfigResource(ConfigResourceType.TOPIC, name, asked) for name in there]
    configs: dict[str, dict[str, str]] = {}
    for answer in await admin.describe_configs(resources) if resources else []:
        for _, _, _, name, entries in answer.resources:
            configs[name] = {entry[0]: entry[1] for entry in entries}
    return {
        name: Found(len(partitions), min(len(each["replicas"]) for each in partitions), configs.get(name, {}))
        for name, partitions in there.items()
    }


def _unavailable(connection: KafkaConnection, failed: Exception) -> BrokerUnavailable:
    if isinstance(failed, BrokerUnavailable):
        return failed
    return BrokerUnavailable(
        f"no Kafka broker answers at {connection.bootstrap_servers}: {failed or 'no answer in time'}"
    )
