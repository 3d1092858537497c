"""Does the cluster let us in, and may we do what we are there for? Asked at the start, answered in one sentence.

Kafka's clients keep the reason to themselves: a broker that is away, one that we distrust and one that distrusts us
are all "unable to bootstrap", and a missing right shows only when it is used, as a topic that is not there or as a
record that is not taken. So we connect once ourselves, and ask the broker what it would allow (KIP-430).
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

from aiokafka.conn import AIOKafkaConnection, create_conn
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    IllegalSaslStateError,
    KafkaError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
    UnsupportedSaslMechanismError,
)
from aiokafka.protocol.coordination import FindCoordinatorRequest

from schemas.acls import Acl
from schemas.connection import KafkaConnection
from schemas.errors import AccessDenied, BrokerUnavailable
from schemas.metadata import MetadataRequest

_ANSWER_S = 5.0
_REFUSALS = (SaslAuthenticationFailed, UnsupportedSaslMechanismError, IllegalSaslStateError)
_BITS = {"Read": 3, "Write": 4, "Create": 5, "Alter": 7, "Describe": 8, "DescribeConfigs": 10}
"""Kafka's numbers of the operations, which are the bits of an answer."""


async def check_access(connection: KafkaConnection, acls: Iterable[Acl] = ()) -> None:
    """Return when a broker lets us in with all the rights of `acls`, as far as it can tell.

    It cannot tell of topics that are not there. Raises `AccessDenied`, whose detail names what is wrong, or
    `BrokerUnavailable` when none answers.
    """
    wanted = tuple(acls)
    async with _connected(connection) as broker:
        try:
            async with asyncio.timeout(_ANSWER_S):
                missing = [*await _missing_on_topics(broker, wanted), *await _missing_on_groups(broker, wanted)]
        except (KafkaError, OSError, TimeoutError) as failed:
            raise _unavailable(connection, failed) from failed
    if missing:
        raise AccessDenied(f"{connection.principal} may not {'; not '.join(missing)}")


@asynccontextmanager
async def _connected(connection: KafkaConnection) -> AsyncIterator[AIOKafkaConnection]:
    """Connect to the first broker that lets us in; a refusal counts only when none does."""
    options = connection.client_options()
    del options["bootstrap_servers"]
    faults: list[Exception] = []
    for server in connection.servers:
        host, _, port = server.rpartition(":")
        try:
            async with asyncio.timeout(_ANSWER_S):
                broker = await create_conn(host.strip("[]"), int(port), client_id="nlp-access", **options)
        except (KafkaError, OSError, TimeoutError) as failed:
            faults.append(_refusal(connection, server, failed) or _unavailable(connection, failed))
            continue
        try:
            yield broker
        finally:
            broker.close()
        return
    raise next((fault for fault in faults if isinstance(fault, AccessDenied)), faults[0])


def _refusal(connection: KafkaConnection, server: str, failed: Exception) -> AccessDenied | None:
    """Return what waiting does not mend, None for the rest."""
    match failed:
        case ssl.SSLCertVerificationError():
            authorities = f"KAFKA_SSL_CAFILE ({connection.ssl_cafile or 'not set: those of the system'})"
            return AccessDenied(
                f"the certificate of the broker at {server} is not trusted: {failed.verify_message}; "
                f"the authorities that are trusted stand in {authorities}"
            )
        case ssl.SSLError():
            return AccessDenied(f"no TLS connection to the broker at {server}: {failed.reason or failed}")
        case KafkaError() if isinstance(failed, _REFUSALS):
            said = failed.args[0] if failed.args and isinstance(failed.args[0], str) else type(failed).__name__
            return AccessDenied(f"the broker at {server} refuses {connection.principal}: {said}")
    return None


def _unavailable(connection: KafkaConnection, failed: Exception) -> BrokerUnavailable:
    reason = str(failed) or "no answer in time"
    return BrokerUnavailable(f"no Kafka broker answers at {connection.bootstrap_servers}: {reason}")


async def _missing_on_topics(broker: AIOKafkaConnection, acls: Iterable[Acl]) -> list[str]:
    """Return what we may not do on which topics, as `Write to nlp.enriched` and the like."""
    wanted: dict[str, tuple[str, ...]] = {}
    for acl in acls:
        for name in acl.topics:
            wanted[name] = wanted.get(name, ()) + acl.operations
    if not wanted:
        return []
    answer = await broker.send(MetadataRequest(list(wanted)))
    allowed = {topic["name"]: topic for topic in answer.to_object()["topics"]}
    return _by_operation((name, _missing(allowed[name], operations)) for name, operations in wanted.items())


def _missing(topic: dict[str, Any], operations: tuple[str, ...]) -> list[str]:
    if topic["error_code"] == TopicAuthorizationFailedError.errno:
        return list(operations)
    # Of a topic that is not there, or by a broker that does not know, nothing is said: the lowest number there is.
    if topic["authorized_operations"] < 0:
        return []
    return [operation for operation in operations if not topic["authorized_operations"] >> _BITS[operation] & 1]


def _by_operation(missing: Iterable[tuple[str, list[str]]]) -> list[str]:
    topics: dict[str, list[str]] = {}
    for name, operations in missing:
        for operation in operations:
            topics.setdefault(operation, []).append(name)
    return [f"{operation} on {_counted('topic', names)}" for operation, names in topics.items()]


async def _missing_on_groups(broker: AIOKafkaConnection, acls: Iterable[Acl]) -> list[str]:
    """Return the groups that are hidden from us; whoever may read one may also look for it."""
    missing = []
    for acl in acls:
        for group in acl.groups:
            answer = await broker.send(FindCoordinatorRequest(group, 0))
            if answer.error_code == GroupAuthorizationFailedError.errno:
                missing.append(f"{' or '.join(acl.operations)} on group {group}")
    return missing


def _counted(noun: str, names: list[str]) -> str:
    return f"{noun}{'s' * (len(names) > 1)} {', '.join(names)}"
