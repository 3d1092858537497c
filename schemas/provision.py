"""Topics on the cluster: created explicitly, with stated partitions, never by being written to.

`python -m schemas.provision` creates what is missing and leaves what is there, so it may run before every start.
"""

import asyncio
import logging
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import InvalidReplicationFactorError, KafkaError, TopicAlreadyExistsError, for_code

from schemas.connection import KafkaConnection
from schemas.errors import BrokerUnavailable
from schemas.topics import Topics, TopicSpec

_log = logging.getLogger(__name__)

_WAIT_S = 30.0
"""How long a cluster may take to answer: long enough for a broker that starts beside us, short enough to notice."""
_RETRY_S = 0.2


class TopicRefused(RuntimeError):
    """The cluster answers but will not create a topic, for want of rights or of brokers to hold its copies."""


async def create_topics(connection: KafkaConnection, topics: Topics, *, wait_s: float = _WAIT_S) -> list[str]:
    """Create the topics that are not there and return their names; those that are there stay as they are.

    Raises `BrokerUnavailable` when no broker answers within `wait_s` seconds, `TopicRefused` when one says no.
    """
    deadline = time.monotonic() + wait_s
    async with _admin(connection, deadline) as admin:
        partitions = await _partitions(admin)
        _warn_of_other_sizes(topics, partitions)
        missing = [spec for spec in topics.specs() if spec.name not in partitions]
        created = await _create(admin, missing, topics.replication_factor, deadline) if missing else []
        await _wait_until_listed(admin, {spec.name for spec in missing}, deadline)
    return created


async def missing_topics(connection: KafkaConnection, topics: Topics, *, wait_s: float = _WAIT_S) -> list[str]:
    """Return the names of the topics that are not on the cluster; raises `BrokerUnavailable`."""
    async with _admin(connection, time.monotonic() + wait_s) as admin:
        partitions = await _partitions(admin)
    return [spec.name for spec in topics.specs() if spec.name not in partitions]


@asynccontextmanager
async def _admin(connection: KafkaConnection, deadline: float) -> AsyncIterator[AIOKafkaAdminClient]:
    options = connection.client_options()
    while True:
        admin = AIOKafkaAdminClient(**options, client_id="nlp-provision", request_timeout_ms=10_000)
        try:
            await asyncio.wait_for(admin.start(), max(deadline - time.monotonic(), 0.1))
            break
        except (KafkaError, OSError, TimeoutError) as failed:
            await admin.close()
            if time.monotonic() + _RETRY_S > deadline:
                detail = f"no Kafka broker answers at {connection.bootstrap_servers}: {failed or 'no answer in time'}"
                raise BrokerUnavailable(detail) from failed
        await asyncio.sleep(_RETRY_S)
    try:
        yield admin
    except (KafkaError, OSError, TimeoutError) as failed:
        detail = f"the Kafka broker at {connection.bootstrap_servers} stopped answering: {failed!r}"
        raise BrokerUnavailable(detail) from failed
    finally:
        await admin.close()


async def _partitions(admin: AIOKafkaAdminClient) -> dict[str, int]:
    # All topics are listed: asking for ours by name would create them where the cluster allows it, wrongly sized.
    return {topic["topic"]: len(topic["partitions"]) for topic in await admin.describe_topics()}


def _warn_of_other_sizes(topics: Topics, partitions: dict[str, int]) -> None:
    found = [(spec, partitions.get(spec.name, spec.partitions)) for spec in topics.specs()]
    other = [f"{spec.name} has {count} and not {spec.partitions}" for spec, count in found if count != spec.partitions]
    if other:
        _log.warning(
            "topics with other partitions than the settings say were left as they are, because adding some moves keys: "
            "%s. More workers or gateways than partitions sit idle.",
            ", ".join(other),
        )


async def _create(
    admin: AIOKafkaAdminClient, specs: list[TopicSpec], replication_factor: int, deadline: float
) -> list[str]:
    """Create the topics, waiting until the deadline for enough brokers; return the names created by us."""
    wanted, created = {spec.name: spec for spec in specs}, []
    while wanted:
        response = await admin.create_topics([_new_topic(spec, replication_factor) for spec in wanted.values()])
        for name, code, message in response.topic_errors:
            error = for_code(code)
            # A cluster that has just started may not have counted its brokers yet.
            if error is InvalidReplicationFactorError and time.monotonic() < deadline:
                continue
            if code and error is not TopicAlreadyExistsError:
                raise TopicRefused(f"the cluster refused to create topic {name}: {message or error.__name__}")
            if not code:
                created.append(name)
            del wanted[name]
        if wanted:
            await asyncio.sleep(_RETRY_S)
    return created


async def _wait_until_listed(admin: AIOKafkaAdminClient, names: set[str], deadline: float) -> None:
    # The controller says "created" before the brokers have heard of it: whoever looks at once would miss some.
    while not names <= (await _partitions(admin)).keys():
        if time.monotonic() > deadline:
            raise BrokerUnavailable("the topics were created, but the brokers do not list them yet")
        await asyncio.sleep(_RETRY_S)


def _new_topic(spec: TopicSpec, replication_factor: int) -> NewTopic:
    configs = {
        "cleanup.policy": "delete",
        # Batches stay as their producers compressed them, so that the broker does not pay for it.
        "compression.type": "producer",
        "max.message.bytes": str(spec.max_message_bytes),
        # The event time of the caller passes through to the outputs, so the broker must not write its own.
        "message.timestamp.type": "CreateTime",
        # All copies but one must be there for an acknowledgement: one broker may be lost, or restarted, at any time.
        "min.insync.replicas": str(max(1, replication_factor - 1)),
        "retention.ms": str(spec.retention_ms),
    }
    return NewTopic(spec.name, spec.partitions, replication_factor, topic_configs=configs)


def main() -> int:
    """Create the topics that `KAFKA_*` and `NLP_TOPIC_*` name, and say which."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    # Its own complaints about each attempt to connect would bury ours, which comes once.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        created = asyncio.run(create_topics(KafkaConnection(), Topics()))
    except (BrokerUnavailable, TopicRefused) as failed:
        print(f"topics not created: {failed}", file=sys.stderr)
        return 1
    print(f"created {', '.join(created)}" if created else "every topic is there")
    return 0


if __name__ == "__main__":
    sys.exit(main())
