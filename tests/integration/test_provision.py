"""`python -m schemas.provision`: says what it will do, does it, and never does harm by being run again."""

import asyncio
import uuid

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from local.ports import free_port
from schemas import KafkaConnection, Topics
from schemas.provision import main, missing_topics, plan_topics
from tests.integration.polling import eventually


@pytest.fixture
def topics(connection: KafkaConnection, monkeypatch: pytest.MonkeyPatch) -> Topics:
    """Topics that are not there yet, named to the command."""
    prefix = f"t{uuid.uuid4().hex[:8]}."
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", connection.bootstrap_servers)
    monkeypatch.setenv("NLP_TOPIC_PREFIX", prefix)
    monkeypatch.setenv("NLP_TOPIC_PARTITIONS", "2")
    monkeypatch.setenv("NLP_TOPIC_REPLY_PARTITIONS", "2")
    return Topics(prefix=prefix, partitions=2, reply_partitions=2)


def partitions(connection: KafkaConnection, topics: Topics) -> dict[str, int | None]:
    return {step.spec.name: step.found for step in asyncio.run(plan_topics(connection, topics))}


def test_a_dry_run_prints_the_plan_and_does_nothing(
    connection: KafkaConnection, topics: Topics, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--dry-run"]) == 0

    printed = capsys.readouterr().out.splitlines()
    assert printed == [*(f"create    {spec.name}: 2 partitions" for spec in topics.specs()), printed[-1]]
    assert printed[-1] == "dry run: nothing was done"
    assert len(asyncio.run(missing_topics(connection, topics))) == len(topics.specs())


def test_running_it_again_changes_nothing(
    connection: KafkaConnection, topics: Topics, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([]) == 0
    assert capsys.readouterr().out.endswith("10 created, 0 grown, 0 as they were\n")

    assert main([]) == 0

    printed = capsys.readouterr()
    assert printed.out.endswith("0 created, 0 grown, 10 as they were\n")
    assert "drift" not in printed.out
    assert printed.err == ""


def test_partitions_are_added_with_a_warning_that_keys_move(
    connection: KafkaConnection,
    topics: Topics,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert main([]) == 0
    monkeypatch.setenv("NLP_TOPIC_PARTITIONS", "3")

    assert main(["--dry-run"]) == 0
    assert set(partitions(connection, topics).values()) == {2}
    capsys.readouterr()
    assert main([]) == 0

    printed = capsys.readouterr()
    assert f"grow      {topics.documents}: 2 → 3 partitions" in printed.out
    assert printed.out.endswith("0 created, 9 grown, 1 as they were\n")
    assert printed.err.startswith("warning: adding partitions moves keys")
    assert partitions(connection, topics) == {
        spec.name: 2 if spec.name == topics.replies else 3 for spec in topics.specs()
    }


@pytest.mark.parametrize("words", [[], ["--dry-run"]])
def test_partitions_are_never_taken_away(
    connection: KafkaConnection,
    topics: Topics,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
) -> None:
    assert main([]) == 0
    monkeypatch.setenv("NLP_TOPIC_PARTITIONS", "3")
    monkeypatch.setenv("NLP_TOPIC_REPLY_PARTITIONS", "1")
    capsys.readouterr()

    assert main(words) == 1

    printed = capsys.readouterr()
    assert f"refuse    {topics.replies}: 2 → 1 partitions" in printed.out
    refusal = f"topics not provisioned: Kafka cannot take partitions away: {topics.replies} has 2, not 1."
    assert printed.err.splitlines()[-1].startswith(refusal)
    assert set(partitions(connection, topics).values()) == {2}, "part of a refused plan was carried out"


def test_drift_is_told_and_left_alone(
    connection: KafkaConnection, topics: Topics, capsys: pytest.CaptureFixture[str]
) -> None:
    asyncio.run(create(connection, NewTopic(topics.replies, 2, 1, topic_configs={"retention.ms": "1234567"})))

    assert main([]) == 0

    told = f"drift     {topics.replies}: retention.ms is 1234567, wanted 3600000"
    assert told in capsys.readouterr().out.splitlines()
    assert main(["--dry-run"]) == 0
    assert told in capsys.readouterr().out.splitlines()


async def create(connection: KafkaConnection, topic: NewTopic) -> None:
    admin = AIOKafkaAdminClient(**connection.client_options())
    await admin.start()
    try:
        await admin.create_topics([topic])

        async def is_listed() -> bool:
            return topic.name in await admin.list_topics()

        await eventually(is_listed, "the topic is listed")
    finally:
        await admin.close()


def test_without_a_broker_it_says_so_in_one_line(
    topics: Topics, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = f"127.0.0.1:{free_port()}"
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", nobody)

    assert main(["--wait", "0.5"]) == 1

    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"topics not provisioned: no Kafka broker answers at {nobody}")


def test_a_wrong_setting_is_named_in_one_line(
    topics: Topics, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAFKA_SECURITY_PROTOCOL", "SASL_SSL")

    assert main([]) == 2

    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("topics not provisioned: a setting is wrong: ")
    assert "KAFKA_SASL_USERNAME is empty" in line
