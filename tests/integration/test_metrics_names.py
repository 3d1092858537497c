"""Dashboard and rules ask for metrics, labels and values that the running processes really expose."""

import re
import uuid
from collections.abc import Iterator

import httpx
import promql_parser
import pytest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from gateway.keys import hash_line, new_key
from local.ports import free_port
from schemas import CONTRACTS, NER, KafkaConnection, Topics
from schemas.provision import create_topics
from tests.integration.caller import Caller, Sending
from tests.integration.gateway_processes import gateway_process, wait_for
from tests.integration.kafka import KafkaBroker
from tests.integration.polling import eventually
from tests.integration.workers import WorkerProcess
from tests.unit.deploy.promql import Labels, PromqlError, labels_of, questions, recordings, selectors

pytestmark = pytest.mark.anyio

OF_TARGETS = frozenset({"job", "instance"})
"""What Prometheus itself adds to every series that it scrapes."""
OF_PROMETHEUS = {
    "up": OF_TARGETS,
    "ALERTS": frozenset({"alertname", "alertstate", "severity"}),
}
HAPPENS_RARELY = {"status": {"429", "5.."}, "alertstate": {"firing"}}
"""Values that a healthy system, which this test asks, does not show."""
KEY = new_key()
REQUESTS = {
    "sentiment": {"text": "Everyone loves it."},
    "ner": {"text": "Apple Inc. opened an office in London."},
    "qa": {"context": "The office is in London.", "question": "Where is the office?"},
    "document": {"text": "Everyone in London loves it."},
}


async def _scrape(url: str) -> list[Sample]:
    async with httpx.AsyncClient(timeout=10.0) as client:
        text = (await client.get(f"{url}/metrics")).text
    return [sample for family in text_string_to_metric_families(text) for sample in family.samples]


@pytest.fixture(scope="module")
async def exposed(broker: KafkaBroker, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Sample]]:
    """What a worker and a gateway expose after each task was asked over HTTP and over Kafka, and once in vain."""
    connection = KafkaConnection(bootstrap_servers=broker.bootstrap_servers)
    topics = Topics(prefix=f"t{uuid.uuid4().hex[:8]}.")
    await create_topics(connection, topics)
    log = tmp_path_factory.mktemp("worker") / "worker.log"
    ports = {"worker": free_port(), "gateway": free_port()}
    worker = WorkerProcess(connection, topics, log, http_port=ports["worker"], commit_interval_s=0.1)
    worker.start()
    told = {
        "KAFKA_BOOTSTRAP_SERVERS": connection.bootstrap_servers,
        "NLP_TOPIC_PREFIX": topics.prefix,
        "NLP_GATEWAY_API_KEYS": hash_line("caller", KEY),
    }
    try:
        with gateway_process(ports["gateway"], told):
            await worker.ready()
            await _ask_everything(f"http://127.0.0.1:{ports['gateway']}", connection, topics)

            async def scrape_commits() -> dict[str, list[Sample]]:
                samples = {name: await _scrape(f"http://127.0.0.1:{port}") for name, port in ports.items()}
                has_committed = any(each.name == "nlp_committed_offset" and each.value for each in samples["worker"])
                return samples if has_committed else {}

            return await eventually(scrape_commits, "the worker shows what is committed")
    finally:
        worker.kill()


async def _ask_everything(gateway: str, connection: KafkaConnection, topics: Topics) -> None:
    wait_for(f"{gateway}/health/ready", 200)
    for contract in CONTRACTS:
        path, shown = f"/predict/{contract.name}", {"Authorization": f"Bearer {KEY}"}
        answer = httpx.post(f"{gateway}{path}", json=REQUESTS[contract.name], headers=shown, timeout=30.0)
        assert answer.status_code == 200, answer.text
    good = b'{"text": "Apple Inc. opened an office in London."}'
    async with Caller(connection, topics) as caller:
        await caller.send([Sending(NER.requests(topics), value) for value in (good, b"not json")])
        await caller.settled()


def _labels(exposed: dict[str, list[Sample]]) -> dict[str, Labels]:
    """Return the labels of every name that may be asked for; those of recordings follow from their expressions."""
    known = dict(OF_PROMETHEUS)
    for sample in (sample for samples in exposed.values() for sample in samples):
        known[sample.name] = known.get(sample.name, OF_TARGETS) | frozenset(sample.labels)
    for name, expr in recordings().items():
        known[name] = labels_of(promql_parser.parse(expr), known)
    return known


def _unknown_values(selector: promql_parser.VectorSelector, samples: list[Sample]) -> Iterator[str]:
    """Yield the values a selector asks for and no series has; a pattern must fit one, each alternative its own."""
    for matcher in selector.matchers.matchers:
        there = {sample.labels[matcher.name] for sample in samples if matcher.name in sample.labels}
        for wanted in matcher.value.split("|"):
            if matcher.name in OF_TARGETS or wanted in HAPPENS_RARELY.get(matcher.name, ()):
                continue
            if not any(re.fullmatch(wanted, value) for value in there):
                yield f"{selector.name}{{{matcher.name}={wanted}}}, there are {sorted(there)}"


async def test_dashboard_and_rules_ask_for_what_is_there(exposed: dict[str, list[Sample]]) -> None:
    known = _labels(exposed)
    everything = [sample for samples in exposed.values() for sample in samples]
    wrong = []
    for question in questions():
        expr = promql_parser.parse(question.expr)
        try:
            answered = labels_of(expr, known)
        except PromqlError as silence:
            wrong.append(f"{question.where}: {silence}")
            continue
        if question.shown - answered:
            wrong.append(f"{question.where} shows {sorted(question.shown - answered)}: {question.expr}")
        for selector in selectors(expr):
            samples = [sample for sample in everything if sample.name == selector.name]
            if samples:
                wrong += [f"{question.where}: {value}" for value in _unknown_values(selector, samples)]

    assert not wrong, "\n".join(wrong)


async def test_everything_of_ours_that_is_exposed_is_shown(exposed: dict[str, list[Sample]]) -> None:
    asked = {selector.name for question in questions() for selector in selectors(promql_parser.parse(question.expr))}
    ours = {
        re.sub("_(bucket|sum|count|created)$", "", sample.name)
        for samples in exposed.values()
        for sample in samples
        if sample.name.startswith(("nlp_", "api_"))
    }
    shown = {re.sub("_(bucket|sum|count)$", "", name or "") for name in asked}

    assert {name.removesuffix("_total") for name in ours} == {
        name.removesuffix("_total") for name in shown if name.startswith(("nlp_", "api_"))
    }
