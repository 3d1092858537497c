"""Spans and the headers that carry them."""

import pytest
from opentelemetry.trace import SpanKind, StatusCode

from schemas.errors import ReplyTimeout
from schemas.headers import TRACEPARENT, TRACESTATE, Headers
from tests.traces import CALLER, TRACE_ID, UNSAMPLED_CALLER, Traces, context_of, id_of, traceparent_of, traceparents

TOPIC = "nlp.ner.requests"


def test_a_record_continues_the_trace_of_its_sender() -> None:
    traces = Traces()

    traces.spans.end(traces.spans.process(TOPIC, [(TRACEPARENT, CALLER.encode())], {"messaging.kafka.offset": 7}))

    span = traces.named(f"process {TOPIC}")
    assert span.kind is SpanKind.CONSUMER
    assert f"{context_of(span).trace_id:032x}" == TRACE_ID
    assert span.parent is not None and f"{span.parent.span_id:016x}" == "b7ad6b7169203331"
    assert dict(span.attributes or {}) == {
        "messaging.system": "kafka",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": TOPIC,
        "messaging.kafka.offset": 7,
    }


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(TRACEPARENT, None)],
        [(TRACEPARENT, b"\xff\xfe")],
        [(TRACEPARENT, b"00-nonsense")],
        [(TRACEPARENT, b"00-" + b"0" * 32 + b"-b7ad6b7169203331-01")],
        [(TRACESTATE, b"vendor=1")],
    ],
    ids=["none", "null", "bytes", "nonsense", "zeros", "state alone"],
)
def test_headers_that_name_no_parent_begin_a_trace(headers: Headers) -> None:
    traces = Traces()

    traces.spans.end(traces.spans.process(TOPIC, headers, {}))

    assert traces.named(f"process {TOPIC}").parent is None


def test_what_is_sent_carries_one_trace_context_instead_of_what_was_there() -> None:
    traces = Traces()
    headers: list[tuple[str, bytes | None]] = [
        (TRACEPARENT, CALLER.encode()),
        ("other", b"kept"),
        (TRACEPARENT, b"a second one"),
        (TRACESTATE, b"vendor=1"),
        ("other", None),
    ]

    parent = traces.spans.process(TOPIC, headers, {})
    traces.spans.end(traces.spans.send("nlp.replies", headers, parent))
    traces.spans.end(parent)

    sent = traces.named("send nlp.replies")
    assert sent.kind is SpanKind.PRODUCER
    assert traceparents(headers) == [traceparent_of(sent)]
    assert [value for name, value in headers if name == TRACESTATE] == [b"vendor=1"]
    assert [value for name, value in headers if name == "other"] == [b"kept", None]
    assert traces.children_of(traces.named(f"process {TOPIC}")) == ["send nlp.replies"]


def test_a_trace_that_the_caller_does_not_want_is_passed_on_unwanted() -> None:
    traces = Traces()
    headers: list[tuple[str, bytes | None]] = [(TRACEPARENT, UNSAMPLED_CALLER.encode())]

    parent = traces.spans.process(TOPIC, headers, {})
    traces.spans.end(traces.spans.send("nlp.replies", headers, parent))
    traces.spans.end(parent)

    assert traces.ended == ()
    (carried,) = traceparents(headers)
    assert carried is not None and carried.decode().split("-")[1::2] == [TRACE_ID, "00"]


def test_a_fault_of_ours_is_told_by_its_code_and_raised_on() -> None:
    traces = Traces()

    with pytest.raises(ReplyTimeout), traces.spans.receiving("nlp.replies", ()):
        raise ReplyTimeout("no reply came within 10 s")

    span = traces.named("receive nlp.replies")
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "reply_timeout")
    assert (span.attributes or {})["error.type"] == "reply_timeout"


def test_any_other_fault_is_told_by_its_class_and_never_quoted() -> None:
    traces = Traces()

    with pytest.raises(ValueError), traces.spans.sending(TOPIC, []):
        raise ValueError("the caller's text")

    span = traces.named(f"send {TOPIC}")
    assert span.status.description == "ValueError"
    assert span.events == ()


def test_a_stage_lies_where_it_happened() -> None:
    traces = Traces()
    parent = traces.spans.process(TOPIC, (), {})

    context = traces.spans.stage("encode", parent, 1_000, 2_000, [parent.get_span_context()])
    traces.spans.end(parent)

    stage = traces.named("encode")
    assert (stage.start_time, stage.end_time) == (1_000, 2_000)
    assert id_of(stage) == context.span_id
    assert [link.context for link in stage.links] == [parent.get_span_context()]
