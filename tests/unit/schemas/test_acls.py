"""The rights in the documentation are those of the table, and no process has more than it uses."""

from pathlib import Path

import pytest

from schemas import Topics
from schemas.acls import Acl, Role, commands, gateway_acls, operator_acls, reader_acls, roles, worker_acls

SECURITY = Path("docs/security.md").read_text()
TOPICS = Topics(prefix="x.")


def rights(*acls: Acl) -> set[tuple[str, str]]:
    return {(operation, name) for acl in acls for operation in acl.operations for name in acl.topics + acl.groups}


def test_the_documentation_lists_exactly_the_commands_of_the_table() -> None:
    expected = [command for role in roles(Topics()) for command in commands(role)]

    assert [line for line in SECURITY.splitlines() if line.startswith("kafka-acls.sh")] == expected


@pytest.mark.parametrize("role", roles(Topics()), ids=lambda role: role.principal)
def test_no_right_is_on_more_than_named_topics(role: Role) -> None:
    text = " ".join(commands(role))

    for wide in ("--cluster", "*", "prefixed", "--operation All", "ANONYMOUS"):
        assert wide not in text


def test_a_worker_reads_requests_and_writes_outcomes_and_nothing_else() -> None:
    inputs, outcomes = set(TOPICS.inputs), {*TOPICS.results, TOPICS.replies, TOPICS.dead_letters}

    assert rights(*worker_acls(TOPICS, "g")) == {
        *(("Read", name) for name in {*inputs, "g"}),
        *(("Write", name) for name in outcomes),
    }
    assert inputs | outcomes == {spec.name for spec in TOPICS.specs()}


def test_a_gateway_asks_and_reads_replies_and_nothing_else() -> None:
    asks = {("Write", name) for name in TOPICS.inputs}

    assert rights(*gateway_acls(TOPICS)) == {*asks, ("Read", "x.replies")}


def test_looking_at_dead_letters_needs_no_right_to_write() -> None:
    assert rights(*reader_acls(TOPICS)) == {("Read", "x.dead-letters")}
    assert rights(*operator_acls(TOPICS)) == {("Read", "x.dead-letters"), *(("Write", name) for name in TOPICS.inputs)}


def test_commands_quote_what_a_shell_would_read() -> None:
    (first, *_) = commands(roles(TOPICS, group="a b;c")[0])

    assert "--group 'a b;c'" in first
