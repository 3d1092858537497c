"""What each topic promises: the right answer at the right place, and all of the caller's own on it."""

import time
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from schemas import CONTRACTS, DOCUMENT, NER, QA, SENTIMENT, Contract, KafkaConnection, Record, Topics, codec, headers
from schemas.document import DocumentRequest, EnrichedDocument
from schemas.manifest import MANIFEST_FILE, QUANTIZED_MODEL_FILE, Manifest
from schemas.ner import NerRequest, NerResult
from schemas.provision import create_topics
from schemas.qa import QaRequest, QaResult
from schemas.sentiment import SentimentRequest, SentimentResult
from tests.integration.caller import Caller, Received, Sending, header, source_of
from tests.integration.kafka import KafkaBroker
from tests.integration.workers import WorkerProcess

pytestmark = pytest.mark.anyio

NAMES = headers.ReplyHeaderNames()
PRAISE = "The implementation was seamless and very robust."
OFFICE = "Apple Inc. is planning to open a new office in London."
MLFLOW = "MLflow is an open source platform for the machine learning lifecycle."
REQUESTS = {
    SENTIMENT.name: SentimentRequest(id="asked", text=PRAISE),
    NER.name: NerRequest(id="asked", text=OFFICE),
    QA.name: QaRequest(id="asked", context=MLFLOW, question="What is MLflow?"),
    DOCUMENT.name: DocumentRequest(id="asked", text=OFFICE, questions=["Where is the new office?"]),
}
CALLERS_HEADERS = (("tenant", b"a"), ("tenant", b"b"), ("empty", None), ("raw", b"\xff\x00"))

every_contract = pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.name)


@pytest.fixture(scope="module")
def topics() -> Topics:
    return Topics(prefix=f"t{uuid.uuid4().hex[:8]}.")


@pytest.fixture(scope="module")
def process(broker: KafkaBroker, tmp_path_factory: pytest.TempPathFactory, topics: Topics) -> Iterator[WorkerProcess]:
    connection = KafkaConnection(bootstrap_servers=broker.bootstrap_servers)
    log = tmp_path_factory.mktemp("worker") / "worker.log"
    worker = WorkerProcess(connection, topics, log, commit_interval_s=0.1)
    yield worker
    worker.kill()


@pytest.fixture
async def worker(process: WorkerProcess, connection: KafkaConnection, topics: Topics) -> WorkerProcess:
    """The module's worker, ready."""
    if not process.has_started:
        await create_topics(connection, topics)
        process.start()
    await process.ready()
    return process


@pytest.fixture
async def caller(worker: WorkerProcess, connection: KafkaConnection, topics: Topics) -> AsyncIterator[Caller]:
    async with Caller(connection, topics) as caller:
        yield caller


async def _ask(caller: Caller, sending: Sending) -> list[Received]:
    (source,) = await caller.send([sending])
    return await caller.outputs_of(source)


def _request(contract: Contract, topics: Topics, *own: tuple[str, bytes | None]) -> Sending:
    return Sending(contract.requests(topics), codec.encode(REQUESTS[contract.name]), b"key", own)


def _reply_headers(topic: str, partition: int, correlation_id: bytes = b"c-1") -> list[tuple[str, bytes | None]]:
    return [
        (NAMES.correlation_id, correlation_id),
        (NAMES.reply_topic, topic.encode()),
        (NAMES.reply_partition, headers.encode_partition(partition)),
    ]


async def _result(caller: Caller, contract: Contract) -> Record:
    (output,) = await _ask(caller, _request(contract, caller.topics))
    assert output.topic == contract.results(caller.topics)
    assert output.value is not None
    return codec.decode(output.value, contract.result_type)


async def test_praise_is_positive(caller: Caller) -> None:
    result = await _result(caller, SENTIMENT)

    assert isinstance(result, SentimentResult)
    assert (result.id, result.text, result.sentiment) == ("asked", PRAISE, "positive")
    assert result.score > 0.5


async def test_names_are_found_whole_with_their_positions(caller: Caller) -> None:
    result = await _result(caller, NER)

    assert isinstance(result, NerResult)
    found = [(entity.text, entity.type, entity.start_char, entity.end_char) for entity in result.entities]
    assert found == [("Apple Inc.", "ORG", 0, 10), ("London", "LOC", 47, 53)]


async def test_a_question_is_answered_by_a_span_of_its_context(caller: Caller) -> None:
    result = await _result(caller, QA)

    assert isinstance(result, QaResult)
    assert "open source platform" in result.answer
    assert MLFLOW[result.start_char : result.end_char] == result.answer


async def test_a_document_gets_sentiment_entities_and_answers(caller: Caller) -> None:
    result = await _result(caller, DOCUMENT)

    assert isinstance(result, EnrichedDocument)
    assert result.sentiment is not None
    assert [entity.text for entity in result.entities or ()] == ["Apple Inc.", "London"]
    assert [answer.answer for answer in result.answers] == ["London"]


@every_contract
async def test_key_headers_and_event_time_come_through(caller: Caller, contract: Contract) -> None:
    sent = _request(contract, caller.topics, *CALLERS_HEADERS)
    event_time = int(time.time() * 1000) - 60_000

    (source,) = await caller.send([Sending(sent.topic, sent.value, b"\x00key", sent.headers, event_time)])
    (output,) = await caller.outputs_of(source)

    manifest = Manifest.model_validate_json(Path("models/minilm", MANIFEST_FILE).read_bytes())
    digest = manifest.files[QUANTIZED_MODEL_FILE]
    assert (output.key, output.timestamp) == (b"\x00key", event_time)
    assert tuple(output.headers) == (
        *CALLERS_HEADERS,
        (headers.ID, b"asked"),
        (headers.MODEL, f"{manifest.name}:{manifest.version}@sha256:{digest[:16]}".encode()),
        (headers.SOURCE, source.encode()),
    )


@every_contract
async def test_an_id_is_made_of_the_place_where_none_was_given(caller: Caller, contract: Contract) -> None:
    anonymous = REQUESTS[contract.name].model_copy(update={"id": None})

    (source,) = await caller.send([Sending(contract.requests(caller.topics), codec.encode(anonymous), partition=3)])
    (output,) = await caller.outputs_of(source)

    offset = source.rpartition("@")[2]
    assert header(output, headers.ID) == f"{contract.requests(caller.topics)}/3/{offset}"
    assert codec.decode(output.value or b"", contract.result_type).id == header(output, headers.ID)  # type: ignore[attr-defined]


@every_contract
async def test_a_caller_that_asks_by_headers_is_answered_at_its_address(caller: Caller, contract: Contract) -> None:
    address = _reply_headers(caller.topics.replies, 7, b"\x01\x02")

    (output,) = await _ask(caller, _request(contract, caller.topics, *address))

    assert (output.topic, output.partition) == (caller.topics.replies, 7)
    assert headers.first(output.headers, NAMES.correlation_id) == b"\x01\x02"
    assert codec.decode(output.value or b"", contract.result_type).id == "asked"  # type: ignore[attr-defined]


@every_contract
async def test_a_dead_letter_is_the_record_itself_and_the_reasons(caller: Caller, contract: Contract) -> None:
    topic = contract.requests(caller.topics)
    broken = Sending(topic, b'{"id": "mine", "text": \xff', b"key", CALLERS_HEADERS, partition=2)

    (source,) = await caller.send([broken])
    (letter,) = await caller.outputs_of(source)

    assert letter.topic == caller.topics.dead_letters
    assert (letter.key, letter.value) == (b"key", broken.value)
    assert tuple(letter.headers[: len(CALLERS_HEADERS)]) == CALLERS_HEADERS
    assert header(letter, headers.ERROR_CODE) == "malformed_record"
    assert header(letter, headers.CONNECT_TOPIC) == topic
    assert header(letter, headers.CONNECT_PARTITION) == "2"
    assert header(letter, headers.CONNECT_OFFSET) == source.rpartition("@")[2]
    assert header(letter, headers.CONNECT_EXCEPTION) == "schemas.errors.MalformedRecord"
    assert header(letter, headers.CONNECT_MESSAGE) == header(letter, headers.ERROR_DETAIL)


async def test_a_caller_that_waits_is_told_what_was_wrong(caller: Caller) -> None:
    sent = Sending(
        caller.topics.ner_requests,
        b'{"id": "asked", "txt": "x"}',
        headers=tuple(_reply_headers(caller.topics.replies, 4)),
    )

    outputs = await _ask(caller, sent)

    by_topic = {output.topic: output for output in outputs}
    assert len(outputs) == 2
    assert by_topic[caller.topics.dead_letters].value == sent.value
    reply = by_topic[caller.topics.replies]
    assert (reply.partition, reply.value) == (4, b"")
    assert header(reply, headers.ID) == "asked"
    assert header(reply, headers.ERROR_CODE) == "invalid_field"
    assert headers.first(reply.headers, NAMES.correlation_id) == b"c-1"


async def test_an_expired_request_never_reaches_the_encoder(worker: WorkerProcess, caller: Caller) -> None:
    past = headers.encode_deadline(int(time.time() * 1000) - 1)
    rows = await worker.metric("nlp_encoder_rows_total")

    (letter,) = await _ask(caller, _request(SENTIMENT, caller.topics, (headers.DEADLINE, past)))

    assert letter.topic == caller.topics.dead_letters
    assert header(letter, headers.ERROR_CODE) == "expired"
    assert await worker.metric("nlp_encoder_rows_total") == rows


async def test_a_request_within_its_deadline_is_answered(caller: Caller) -> None:
    future = headers.encode_deadline(int(time.time() * 1000) + 60_000)

    (output,) = await _ask(caller, _request(SENTIMENT, caller.topics, (headers.DEADLINE, future)))

    assert output.topic == caller.topics.sentiment_results


@pytest.mark.parametrize("deadline", [b"soon", b"", b"-1", b"1e3"])
async def test_a_deadline_that_cannot_be_read_is_refused(caller: Caller, deadline: bytes) -> None:
    (letter,) = await _ask(caller, _request(SENTIMENT, caller.topics, (headers.DEADLINE, deadline)))

    assert header(letter, headers.ERROR_CODE) == "invalid_header"


@pytest.mark.parametrize("where", ["no.such.topic", "spaces in it", "", "\u00e9"])
async def test_a_reply_to_a_topic_that_is_not_there_is_a_dead_letter(caller: Caller, where: str) -> None:
    (letter,) = await _ask(caller, _request(SENTIMENT, caller.topics, *_reply_headers(where, 0)))

    assert letter.topic == caller.topics.dead_letters
    assert header(letter, headers.ERROR_CODE) == "invalid_header"
    assert letter.value == codec.encode(REQUESTS[SENTIMENT.name])


async def test_many_wrong_addresses_do_not_hold_up_the_delivery(caller: Caller) -> None:
    wrong = [_request(SENTIMENT, caller.topics, *_reply_headers("no.such.other.topic", 0))] * 40

    sources = await caller.send([*wrong, _request(SENTIMENT, caller.topics)])
    # Looking for a missing topic takes seconds: once is bearable, once a record is not.
    await caller.settled(within_s=60)

    outcomes = {source_of(output): output.topic for output in await caller.outputs()}
    assert [outcomes[source] for source in sources] == [caller.topics.dead_letters] * 40 + [
        caller.topics.sentiment_results
    ]


async def test_a_reply_to_a_partition_that_is_not_there_is_a_dead_letter(caller: Caller) -> None:
    address = _reply_headers(caller.topics.replies, caller.topics.reply_partitions)

    (letter,) = await _ask(caller, _request(QA, caller.topics, *address))

    assert header(letter, headers.ERROR_CODE) == "invalid_header"
    assert "partition 16" in (header(letter, headers.ERROR_DETAIL) or "")


async def test_a_reply_into_a_request_topic_is_refused(caller: Caller) -> None:
    address = _reply_headers(caller.topics.ner_requests, 0)

    (letter,) = await _ask(caller, _request(NER, caller.topics, *address))

    assert letter.topic == caller.topics.dead_letters
    assert header(letter, headers.ERROR_CODE) == "invalid_header"
