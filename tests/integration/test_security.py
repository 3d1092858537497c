"""Over TLS, with passwords, under the documented rights and no others: what works, and what is said where not."""

import asyncio
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from deadletters.__main__ import main as dead_letters
from local.demo import main as demo
from local.ports import free_port
from schemas import Topics
from schemas.provision import main as provision_topics
from tests.integration.caller import Caller, Sending
from tests.integration.commands import Ended, run_command
from tests.integration.gateways import ready_gateway, until
from tests.integration.polling import eventually
from tests.integration.secure import NOBODY, SecureBroker, secure_broker
from tests.integration.workers import WorkerProcess, worker_environment

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(240)]

DOCUMENTED = re.findall(r"^kafka-acls\.sh .+$", Path("docs/security.md").read_text(), re.MULTILINE)
TOPICS = Topics()
COMMANDS: dict[str, Callable[[], int]] = {
    "topics": lambda: provision_topics([]),
    "demo": demo,
    "dead letters": lambda: dead_letters(["list"]),
}


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureBroker]:
    with secure_broker(tmp_path_factory.mktemp("secure") / "broker") as broker:
        yield broker


@pytest.fixture(scope="module")
def documented(secure: SecureBroker) -> SecureBroker:
    """The broker, with the rights that the documentation lists."""
    secure.change_acls(DOCUMENTED)
    return secure


async def provision(broker: SecureBroker) -> Ended:
    return await run_command(broker.connection("nlp-topics"), TOPICS, "schemas.provision")


def complaints(errors: str) -> list[str]:
    """Return what a process said on its standard error, without what it only reports."""
    return [line for line in errors.splitlines() if line and " INFO " not in line]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"sasl_password": SecretStr("wrong horse")}, r"refuses user nlp-nobody: Authentication failed"),
        ({"ssl_cafile": None}, r"is not trusted: self-signed certificate.* KAFKA_SSL_CAFILE"),
        ({}, r"user nlp-nobody may not (Read|Write|Create) on topics? nlp\."),
    ],
    ids=["password", "authority", "rights"],
)
async def test_whoever_is_refused_says_why_in_one_line_and_ends(
    secure: SecureBroker,
    wrong: dict[str, object],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    refused = secure.connection(NOBODY).model_copy(update=wrong)
    ports = {"NLP_WORKER_HTTP_PORT": str(free_port()), "NLP_GATEWAY_PORT": str(free_port())}
    for name, value in worker_environment(refused, TOPICS).items():
        monkeypatch.setenv(name, value)

    services = [run_command(refused, TOPICS, service, **ports) for service in ("worker", "gateway")]
    ended = dict(zip(("worker", "gateway"), await asyncio.gather(*services), strict=True))
    for name, command in COMMANDS.items():
        status = await asyncio.to_thread(command)
        ended[name] = Ended(status, *capsys.readouterr())

    for name, process in ended.items():
        assert process.status == 1, f"{name}: {process}"
        (line,) = complaints(process.errors)
        assert re.search(said, line), f"{name}: {line}"
        assert "horse" not in process.errors + process.output


async def test_the_system_runs_under_exactly_the_documented_rights(documented: SecureBroker, tmp_path: Path) -> None:
    worker = WorkerProcess(documented.connection("nlp-worker"), TOPICS, tmp_path / "worker.log", group="nlp-worker")
    port = free_port()
    provisioned = await provision(documented)
    gateway = asyncio.create_task(
        run_command(documented.connection("nlp-gateway"), TOPICS, "gateway", NLP_GATEWAY_PORT=str(port))
    )
    try:
        worker.start()
        answer = await answered(f"http://127.0.0.1:{port}/predict/ner", {"text": "Apple opens an office in London."})
        demo = await run_command(documented.connection("nlp-demo"), TOPICS, "local.demo")
        operator = documented.connection("nlp-operator")
        listed = await run_command(operator, TOPICS, "deadletters", "list")
        replayed = await run_command(operator, TOPICS, "deadletters", "replay", "--limit", "1", "--execute")
        again = await provision(documented)
        worker.terminate()
        status = await worker.ended()
    finally:
        worker.kill()
        gateway.cancel()
        await asyncio.gather(gateway, return_exceptions=True)

    assert (provisioned.status, again.status) == (0, 0), provisioned.errors + again.errors
    assert again.output.endswith("0 created, 0 grown, 10 as they were\n")
    assert [entity["type"] for entity in answer["entities"]] == ["ORG", "LOC"]
    assert demo.status == 0, demo.errors
    assert re.search(r"nlp\.enriched +│ +\d+", demo.output), "no document came out enriched"
    assert (listed.status, replayed.status, status) == (0, 0, 0), listed.errors + replayed.errors + worker.log
    assert replayed.output.endswith("1 replayed, 0 skipped\n")
    assert "horse" not in worker.log


async def answered(url: str, body: dict[str, str]) -> dict[str, list[dict[str, object]]]:
    """Return the gateway's answer, once it and a worker are there to give it."""

    async def ask() -> httpx.Response | None:
        async with httpx.AsyncClient(timeout=30) as client:
            try:
                response = await client.post(url, json=body)
            except httpx.TransportError:
                return None
        return response if response.status_code == 200 else None

    answer: dict[str, list[dict[str, object]]] = (await eventually(ask, f"{url} answers")).json()
    return answer


async def test_a_right_that_is_taken_away_ends_the_worker_with_one_line(
    documented: SecureBroker, tmp_path: Path
) -> None:
    assert (await provision(documented)).status == 0
    worker = WorkerProcess(documented.connection("nlp-worker"), TOPICS, tmp_path / "worker.log", group="nlp-worker")
    only_enriched = right("nlp-worker", "Write", TOPICS.enriched)
    try:
        worker.start()
        await worker.ready()

        documented.change_acls([only_enriched.replace("--add", "--remove --force")])
        async with Caller(documented.admin, TOPICS) as caller:
            await caller.send([Sending(TOPICS.documents, b'{"id": "kept", "text": "London."}')])
        running = await worker.ended(), worker.log
        worker.start()
        starting = await worker.ended(), worker.log.removeprefix(running[1])
    finally:
        worker.kill()
        documented.change_acls([only_enriched])

    for status, log in (running, starting):
        assert status == 1
        assert complaints(log)[-1].endswith("access_denied: user nlp-worker may not Write on topic nlp.enriched")
        assert "Traceback" not in log
    assert len(complaints(starting[1])) == 1


async def test_a_right_that_is_taken_away_makes_the_gateway_unready_until_it_is_back(documented: SecureBroker) -> None:
    assert (await provision(documented)).status == 0
    only_replies = right("nlp-gateway", "Read", TOPICS.replies)

    async with ready_gateway(documented.connection("nlp-gateway"), TOPICS) as gateway:

        async def says_why() -> bool:
            health = await gateway.client.get("/health/ready")
            return "user nlp-gateway may not Read on topic nlp.replies" in health.text

        try:
            await asyncio.to_thread(documented.change_acls, [only_replies.replace("--add", "--remove --force")])
            await eventually(says_why, "the gateway says what is missing")
        finally:
            await asyncio.to_thread(documented.change_acls, [only_replies])
        await until(gateway.is_ready)


def right(principal: str, operation: str, topic: str) -> str:
    """Return the documented command, for one topic alone."""
    (command,) = [each for each in DOCUMENTED if f"User:{principal} --operation {operation} " in each]
    return re.sub(rf" --topic (?!{re.escape(topic)}\b)\S+", "", command)


def test_the_commands_of_the_documentation_are_whole() -> None:
    assert len(DOCUMENTED) == 9
    assert all(shlex.split(command)[0] == "kafka-acls.sh" for command in DOCUMENTED)
