"""Who may do what on the cluster, and no more: the rights of each process, as a table that everything else follows.

The processes ask for these rights when they start, `docs/security.md` prints them as commands, and the tests run the
system under those very commands. `python -m schemas.acls` prints them for the topics that `NLP_TOPIC_*` name.
"""

import argparse
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from schemas.topics import Topics

WORKER_GROUP = "nlp-worker"
"""The worker's default group."""

_COMMAND = 'kafka-acls.sh --bootstrap-server "$BROKER" --command-config admin.properties --add'


@dataclass(frozen=True, slots=True)
class Acl:
    """Operations, in Kafka's words, that are allowed on each of the topics and groups."""

    operations: tuple[str, ...]
    topics: tuple[str, ...]
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Role:
    """What one kind of process needs; `principal` is the user of the examples."""

    principal: str
    what: str
    acls: tuple[Acl, ...]


def worker_acls(topics: Topics, group: str) -> tuple[Acl, ...]:
    """Return what a worker needs: reading requests in its group, writing every outcome.

    Its idempotent producer needs no right of its own since Kafka 2.8: one topic to write to is enough (KIP-679).
    """
    outcomes = (*topics.results, topics.replies, topics.dead_letters)
    return (Acl(("Read",), topics.inputs, (group,)), Acl(("Write",), outcomes))


def gateway_acls(topics: Topics) -> tuple[Acl, ...]:
    """Return what a gateway needs: asking, and reading replies; it is in no group."""
    return (Acl(("Write",), topics.inputs), Acl(("Read",), (topics.replies,)))


def provision_acls(topics: Topics) -> tuple[Acl, ...]:
    """Return what creating topics, adding partitions and comparing settings needs."""
    return (Acl(("Create", "Alter", "DescribeConfigs"), tuple(spec.name for spec in topics.specs())),)


def reader_acls(topics: Topics) -> tuple[Acl, ...]:
    """Return what looking at dead letters needs; no group is involved."""
    return (Acl(("Read",), (topics.dead_letters,)),)


def operator_acls(topics: Topics) -> tuple[Acl, ...]:
    """Return what looking at dead letters and replaying them needs."""
    return (*reader_acls(topics), Acl(("Write",), topics.inputs))


def demo_acls(topics: Topics) -> tuple[Acl, ...]:
    """Return what the demo needs: sending texts, and reading results and dead letters."""
    return (Acl(("Write",), topics.inputs), Acl(("Read",), (*topics.results, topics.dead_letters)))


def roles(topics: Topics, group: str = WORKER_GROUP) -> tuple[Role, ...]:
    """Return every role; `group` is the workers' consumer group."""
    return (
        Role("nlp-worker", "`python -m worker`", worker_acls(topics, group)),
        Role("nlp-gateway", "`python -m gateway`", gateway_acls(topics)),
        Role("nlp-topics", "`python -m schemas.provision`", provision_acls(topics)),
        Role("nlp-operator", "`python -m deadletters`", operator_acls(topics)),
        Role("nlp-demo", "`make demo`", demo_acls(topics)),
    )


def commands(role: Role) -> Iterator[str]:
    """Yield the `kafka-acls.sh` commands that give a role its rights."""
    for acl in role.acls:
        words = ["--allow-principal", f"User:{role.principal}"]
        words += [word for operation in acl.operations for word in ("--operation", operation)]
        words += [word for group in acl.groups for word in ("--group", group)]
        words += [word for topic in acl.topics for word in ("--topic", topic)]
        yield f"{_COMMAND} {shlex.join(words)}"


def main() -> int:
    """Print the commands of all roles, or of those that are named."""
    known = [role.principal for role in roles(Topics())]
    parser = argparse.ArgumentParser(prog="python -m schemas.acls", description=__doc__.partition("\n")[0])
    parser.add_argument("principals", nargs="*", metavar="principal", help=f"of {', '.join(known)}; all when not given")
    parser.add_argument("--group", default=WORKER_GROUP, help="the workers' consumer group (default: %(default)s)")
    arguments = parser.parse_args()
    if unknown := set(arguments.principals) - set(known):
        parser.error(f"no such principal: {', '.join(sorted(unknown))}")
    for role in roles(Topics(), arguments.group):
        if role.principal in (arguments.principals or known):
            print(f"# {role.what}", *commands(role), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
