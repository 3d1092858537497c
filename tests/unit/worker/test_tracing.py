"""The spans of records in a worker whose encoder answers by rule."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest
from aiokafka.errors import MessageSizeTooLargeError
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import StatusCode

from schemas import DOCUMENT, NER, SENTIMENT, Manifest, headers
from schemas.headers import TRACEPARENT, Headers
from tests.records import incoming
from tests.traces import CALLER, TRACE_ID, UNSAMPLED_CALLER, Traces, context_of, id_of, traceparent_of, traceparents
from tests.worker_fixtures import RuleEncoder
from tests.worker_in_process import InProcessWorker, worker_in_process
from worker.batching import Batch
from worker.records import Answered
from worker.tokenizer import Tokenizer
from worker.tracing import Tracing

pytestmark = pytest.mark.anyio

STAGES = ["decode", "tokenise", "wait", "encode", "heads"]
REPLY_TO: Headers = [
    ("kafka_correlationId", b"42"),
    ("kafka_replyTopic", b"nlp.replies"),
    ("kafka_replyPartition", b"\x00\x00\x00\x03"),
]
ASKED_AS = ("nlp-request-id", b"call-1")
TRACED: Headers = [(TRACEPARENT, CALLER.encode())]

Start = Callable[[Traces | None, RuleEncoder], AbstractAsyncContextManager[InProcessWorker]]


@pytest.fixture
def start(tokenizer: Tokenizer, manifest: Manifest) -> Start:
    """Start a worker that records its spans, or none."""

    def start(traces: Traces | None, encoder: RuleEncoder) -> AbstractAsyncContextManager[InProcessWorker]:
        tracing = None if traces is None else Tracing(traces.spans, "nlp-worker")
        return worker_in_process(tokenizer, manifest, encoder, tracing)

    return start


async def test_a_record_has_a_span_and_in_it_one_for_each_stage(start: Start, rule_encoder: RuleEncoder) -> None:
    traces = Traces()

    async with start(traces, rule_encoder) as worker:
        worker.take(NER, b'{"text": "a fine day", "id": "mine"}', headers=[*TRACED, *REPLY_TO, ASKED_AS])
        await worker.done()

    record = traces.named("process nlp.ner.requests")
    below = [name for name in traces.children_of(record) if name != "encoder run"]
    assert below == [*STAGES, "send nlp.replies"]
    assert {f"{context_of(span).trace_id:032x}" for span in traces.ended} == {TRACE_ID}
    assert record.status.status_code is StatusCode.UNSET
    assert dict(record.attributes or {}) == {
        "messaging.system": "kafka",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": "nlp.ner.requests",
        "messaging.destination.partition.id": "0",
        "messaging.consumer.group.name": "nlp-worker",
        "messaging.kafka.offset": 0,
        "messaging.message.conversation_id": "call-1",
        "messaging.message.body.size": 36,
        "nlp.task": "ner",
        "nlp.id": "mine",
    }


async def test_stages_follow_one_another_within_the_record(start: Start, rule_encoder: RuleEncoder) -> None:
    traces = Traces()

    async with start(traces, rule_encoder) as worker:
        worker.take(DOCUMENT, b'{"text": "a fine day", "questions": ["Who?", "What?"]}')
        await worker.done()

    record = traces.named("process nlp.documents")
    stages = [traces.named(name) for name in STAGES]
    moments = [moment for stage in stages for moment in (stage.start_time or 0, stage.end_time or 0)]
    assert moments == sorted(moments)
    assert (record.start_time or 0) <= moments[0]
    assert moments[-1] <= (record.end_time or 0)


async def test_the_reply_carries_one_trace_context_which_is_that_of_its_sending(
    start: Start, rule_encoder: RuleEncoder
) -> None:
    traces = Traces()
    given: Headers = [*TRACED, (TRACEPARENT, b"another"), ("tracestate", b"vendor=1"), *REPLY_TO]

    async with start(traces, rule_encoder) as worker:
        worker.take(SENTIMENT, b'{"text": "a fine day"}', headers=given)
        await worker.done()

    (reply,) = worker.producer.sent
    assert traceparents(reply.headers) == [traceparent_of(traces.named("send nlp.replies"))]
    assert headers.first(reply.headers, "tracestate") == b"vendor=1"


async def test_without_tracing_the_callers_trace_context_is_passed_on_once(
    start: Start, rule_encoder: RuleEncoder
) -> None:
    async with start(None, rule_encoder) as worker:
        worker.take(SENTIMENT, b'{"text": "a fine day"}', headers=[*TRACED, (TRACEPARENT, b"another"), *REPLY_TO])
        await worker.done()

    (reply,) = worker.producer.sent
    assert traceparents(reply.headers) == [CALLER.encode()]


async def test_an_encoder_run_links_to_all_that_it_serves_and_is_linked_from_each(
    start: Start, rule_encoder: RuleEncoder
) -> None:
    traces = Traces()

    async with start(traces, rule_encoder) as worker:
        for number in range(8):
            worker.take(SENTIMENT, b'{"text": "day %d"}' % number)
        await worker.done()

    runs = [span for span in traces.ended if span.name == "encoder run"]
    encoded = [span for span in traces.ended if span.name == "encode"]
    assert len(encoded) == 8
    assert sum(_windows(run) for run in runs) == 8
    assert sorted(_linked(runs)) == sorted(id_of(span) for span in traces.ended if span.name.startswith("process"))
    assert {id_of(run) for run in runs} == set(_linked(encoded))
    assert all(run.parent is not None and run.parent.span_id == run.links[0].context.span_id for run in runs)


async def test_records_that_share_a_passage_are_each_traced_whole(start: Start, rule_encoder: RuleEncoder) -> None:
    traces = Traces()

    async with start(traces, rule_encoder) as worker:
        for _ in range(5):
            worker.take(SENTIMENT, b'{"text": "the same day"}')
        await worker.done()

    records = [span for span in traces.ended if span.name == "process nlp.sentiment.requests"]
    assert len({context_of(record).trace_id for record in records}) == 5
    for record in records:
        below = traces.children_of(record)
        assert {"decode", "wait", "encode", "heads", "send nlp.sentiment.results"} <= set(below)


async def test_a_dead_letter_fails_its_span_by_the_code(start: Start, rule_encoder: RuleEncoder) -> None:
    traces = Traces()

    async with start(traces, rule_encoder) as worker:
        worker.take(SENTIMENT, b"not json", headers=[*TRACED, *REPLY_TO])
        await worker.done()

    record = traces.named("process nlp.sentiment.requests")
    assert (record.status.status_code, record.status.description) == (StatusCode.ERROR, "malformed_record")
    assert (record.attributes or {})["error.type"] == "malformed_record"
    assert traces.children_of(record) == ["decode", "send nlp.dead-letters", "send nlp.replies"]
    dead_letter, reply = worker.producer.sent
    assert traceparents(dead_letter.headers) == [traceparent_of(traces.named("send nlp.dead-letters"))]
    assert traceparents(reply.headers) == [traceparent_of(traces.named("send nlp.replies"))]


async def test_a_model_that_fails_on_a_record_fails_its_span(start: Start) -> None:
    traces = Traces()
    encoder = RuleEncoder(fails_on=_is_long)

    async with start(traces, encoder) as worker:
        worker.take(SENTIMENT, b'{"text": "%s"}' % (b"long " * 50))
        await worker.done()

    assert traces.named("process nlp.sentiment.requests").status.description == "internal_error"


async def test_what_cannot_be_sent_is_told_in_its_span_and_becomes_a_dead_letter(
    start: Start, rule_encoder: RuleEncoder
) -> None:
    traces = Traces()

    async with start(traces, rule_encoder) as worker:
        worker.producer.refuses = ("nlp.sentiment.results", MessageSizeTooLargeError())
        worker.take(SENTIMENT, b'{"text": "a fine day"}')
        await worker.done()

    assert traces.named("send nlp.sentiment.results").status.description == "MessageSizeTooLargeError"
    assert traces.named("send nlp.dead-letters").status.status_code is StatusCode.UNSET
    assert traces.named("process nlp.sentiment.requests").status.description == "result_too_large"


async def test_a_record_of_a_partition_that_moved_ends_as_abandoned(start: Start, rule_encoder: RuleEncoder) -> None:
    traces = Traces()

    async with start(traces, rule_encoder) as worker:
        record = worker.take(SENTIMENT, b'{"text": "a fine day"}')
        record.progress.is_abandoned = True
        await worker.done()

    assert traces.named("process nlp.sentiment.requests").status.description == "abandoned"


async def test_outcomes_that_wait_for_their_key_when_partitions_move_end_as_abandoned(
    start: Start, rule_encoder: RuleEncoder
) -> None:
    traces = Traces()

    async with start(traces, rule_encoder) as worker:
        first, second = incoming(key=b"k"), incoming(key=b"k", offset=1)
        Tracing(traces.spans, "nlp-worker").begin(second)
        worker.delivery.take(first)
        worker.delivery.take(second)
        worker.delivery.deliver([(second, Answered("mine", b"{}"))])
        worker.delivery.abandon_all()

    assert traces.named("process nlp.sentiment.requests").status.description == "abandoned"


async def test_a_trace_that_the_caller_does_not_want_leaves_nothing_but_its_ids(
    start: Start, rule_encoder: RuleEncoder
) -> None:
    traces = Traces()
    unwanted: Headers = [(TRACEPARENT, UNSAMPLED_CALLER.encode())]

    async with start(traces, rule_encoder) as worker:
        worker.take(SENTIMENT, b'{"text": "a fine day"}', headers=unwanted)
        await worker.done()

    assert traces.ended == ()
    (carried,) = traceparents(worker.producer.sent[0].headers)
    assert carried is not None and carried.decode().split("-")[1::2] == [TRACE_ID, "00"]


async def test_no_span_holds_a_text_a_key_or_a_question(start: Start, rule_encoder: RuleEncoder) -> None:
    traces = Traces()

    async with start(traces, rule_encoder) as worker:
        worker.take(DOCUMENT, b'{"text": "Hidden words", "questions": ["Hidden question?"]}', key=b"Hidden key")
        worker.take(SENTIMENT, b'{"text": 5, "Hidden": 1}', key=b"Hidden key")
        await worker.done()

    assert len(traces.ended) > 10
    assert not [span.name for span in traces.ended if "Hidden" in span.to_json()]


def _is_long(batch: Batch) -> bool:
    return batch.padded_tokens > 30


def _linked(spans: list[ReadableSpan]) -> list[int]:
    return [link.context.span_id for span in spans for link in span.links]


def _windows(run: ReadableSpan) -> int:
    windows = (run.attributes or {})["nlp.batch.windows"]
    assert isinstance(windows, int)
    return windows
