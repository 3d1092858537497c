"""Topics on the cluster: created explicitly, with stated partitions, never by being written to.

`python -m schemas.provision` creates what is missing, adds partitions where the settings name more, and leaves what is
as it should be, so it may run before every start. `--dry-run` prints what it would do, and does nothing.
"""

import argparse
import asyncio
import logging
import sys
import time
from collections import Counter
from collections.abc import Sequence

from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.errors import (
    InvalidReplicationFactorError,
    KafkaError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    for_code,
)
from pydantic import ValidationError

from schemas.acls import Acl, provision_acls
from schemas.cluster import RETRY_S, administer, found_topics, partition_counts
from schemas.connection import KafkaConnection
from schemas.errors import AccessDenied, BrokerUnavailable, NlpError
from schemas.plan import Action, Step, make_plan, topic_settings
from schemas.settings import explain
from schemas.topics import Topics, TopicSpec

_log = logging.getLogger(__name__)

_WAIT_S = 30.0
"""How long a cluster may take to answer: long enough for a broker that starts beside us, short enough to notice."""
_MOVES_KEYS = (
    "adding partitions moves keys: records of one key that were sent before and after may be read out of order, by "
    "different workers. Let the workers finish first where that matters."
)


class TopicRefused(RuntimeError):
    """The cluster answers but will not have a topic as it should be, for want of brokers or by a rule of its own."""


async def create_topics(connection: KafkaConnection, topics: Topics, *, wait_s: float = _WAIT_S) -> list[str]:
    """Create the topics that are not there and return their names; those that are there stay as they are.

    Raises `BrokerUnavailable` when no broker answers within `wait_s` seconds, `AccessDenied` when the cluster refuses
    us, `TopicRefused` when it will not create one.
    """
    deadline = time.monotonic() + wait_s
    async with administer(connection, (), deadline) as admin:
        partitions = await partition_counts(admin)
        _warn_of_other_sizes(topics, partitions)
        missing = [spec for spec in topics.specs() if spec.name not in partitions]
        return await _create(admin, connection, missing, topics.replication_factor, deadline)


async def missing_topics(
    connection: KafkaConnection, topics: Topics, acls: Sequence[Acl] = (), *, wait_s: float = _WAIT_S
) -> list[str]:
    """Return the names of the topics that are not on the cluster; raises `BrokerUnavailable` or `AccessDenied`.

    With `acls`, only their topics count, and a right that is missing on one of those that are there is an
    `AccessDenied`.
    """
    wanted = [name for acl in acls for name in acl.topics] or [spec.name for spec in topics.specs()]
    async with administer(connection, acls, time.monotonic() + wait_s) as admin:
        partitions = await partition_counts(admin)
    return [name for name in wanted if name not in partitions]


async def plan_topics(connection: KafkaConnection, topics: Topics, *, wait_s: float = _WAIT_S) -> list[Step]:
    """Return what `apply_plan` would do; raises `BrokerUnavailable` or `AccessDenied`."""
    names = [spec.name for spec in topics.specs()]
    keys = topic_settings(topics.specs()[0], topics.replication_factor)
    async with administer(connection, provision_acls(topics), time.monotonic() + wait_s) as admin:
        return make_plan(topics, await found_topics(admin, names, keys))


async def apply_plan(
    connection: KafkaConnection, topics: Topics, plan: Sequence[Step], *, wait_s: float = _WAIT_S
) -> None:
    """Create and grow the topics of the plan; raises `TopicRefused`, `BrokerUnavailable` or `AccessDenied`.

    A plan that would take partitions away is refused as a whole, before anything is done.
    """
    check_plan(plan)
    deadline = time.monotonic() + wait_s
    async with administer(connection, (), deadline) as admin:
        missing = [step.spec for step in plan if step.action is Action.CREATE]
        await _create(admin, connection, missing, topics.replication_factor, deadline)
        await _grow(admin, connection, [step.spec for step in plan if step.action is Action.GROW], deadline)


def check_plan(plan: Sequence[Step]) -> None:
    """Raise `TopicRefused` for a plan that cannot be carried out."""
    refused = [step for step in plan if step.action is Action.REFUSE]
    if refused:
        shrunk = ", ".join(f"{step.spec.name} has {step.found}, not {step.spec.partitions}" for step in refused)
        raise TopicRefused(
            f"Kafka cannot take partitions away: {shrunk}. Raise NLP_TOPIC_PARTITIONS or NLP_TOPIC_REPLY_PARTITIONS, "
            "or move to topics of other names"
        )


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
    admin: AIOKafkaAdminClient,
    connection: KafkaConnection,
    specs: Sequence[TopicSpec],
    replication_factor: int,
    deadline: float,
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
            if error is TopicAuthorizationFailedError:
                raise AccessDenied(f"{connection.principal} may not Create on topic {name}")
            if code and error is not TopicAlreadyExistsError:
                raise TopicRefused(f"the cluster refused to create topic {name}: {message or error.__name__}")
            if not code:
                created.append(name)
            del wanted[name]
        if wanted:
            await asyncio.sleep(RETRY_S)
    await _wait_until_listed(admin, dict.fromkeys((spec.name for spec in specs), 1), deadline)
    return created


async def _grow(
    admin: AIOKafkaAdminClient, connection: KafkaConnection, specs: Sequence[TopicSpec], deadline: float
) -> None:
    for spec in specs:
        try:
            await admin.create_partitions({spec.name: NewPartitions(spec.partitions)})
        except TopicAuthorizationFailedError:
            raise AccessDenied(f"{connection.principal} may not Alter on topic {spec.name}") from None
        except KafkaError as failed:
            # Somebody else may have done the same meanwhile.
            if (await partition_counts(admin)).get(spec.name) != spec.partitions:
                raise TopicRefused(f"the cluster refused to grow topic {spec.name}: {failed}") from failed
    await _wait_until_listed(admin, {spec.name: spec.partitions for spec in specs}, deadline)


async def _wait_until_listed(admin: AIOKafkaAdminClient, partitions: dict[str, int], deadline: float) -> None:
    # The controller says "created" before the brokers have heard of it: whoever looks at once would miss some.
    while partitions:
        listed = await partition_counts(admin)
        if all(listed.get(name, 0) >= count for name, count in partitions.items()):
            return
        if time.monotonic() > deadline:
            raise BrokerUnavailable("the topics were created, but the brokers do not list them yet")
        await asyncio.sleep(RETRY_S)


def _new_topic(spec: TopicSpec, replication_factor: int) -> NewTopic:
    configs = topic_settings(spec, replication_factor)
    return NewTopic(spec.name, spec.partitions, replication_factor, topic_configs=configs)


async def _run(*, wait_s: float, is_dry: bool) -> None:
    connection, topics = KafkaConnection(), Topics()
    plan = await plan_topics(connection, topics, wait_s=wait_s)
    for line in (line for step in plan for line in step.lines()):
        print(line)
    if any(step.action is Action.GROW for step in plan):
        print(f"warning: {_MOVES_KEYS}", file=sys.stderr)
    if is_dry:
        print("dry run: nothing was done")
        check_plan(plan)
        return
    await apply_plan(connection, topics, plan, wait_s=wait_s)
    count = Counter(step.action for step in plan)
    print(f"{count[Action.CREATE]} created, {count[Action.GROW]} grown, {count[Action.KEEP]} as they were")


def main(words: Sequence[str] | None = None) -> int:
    """Bring the topics to what `KAFKA_*` and `NLP_TOPIC_*` say; returns the exit status, 2 for a wrong setting."""
    parser = argparse.ArgumentParser(prog="python -m schemas.provision", description=main.__doc__)
    parser.add_argument("--dry-run", action="store_true", help="print the plan and do nothing")
    parser.add_argument(
        "--wait", type=float, default=_WAIT_S, metavar="SECONDS", help="time for a broker to answer (default: 30)"
    )
    arguments = parser.parse_args(words)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    # Its own complaints about each attempt to connect would bury ours, which comes once.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        asyncio.run(_run(wait_s=arguments.wait, is_dry=arguments.dry_run))
    except ValidationError as invalid:
        print(f"topics not provisioned: {explain(invalid)}", file=sys.stderr)
        return 2
    except (NlpError, TopicRefused) as failed:
        print(f"topics not provisioned: {failed}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
