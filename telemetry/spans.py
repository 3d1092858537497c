"""Spans of OpenTelemetry, named and described by its conventions for messaging; imported only where tracing is on."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Thread
from typing import TypeAlias

from opentelemetry.context import Context
from opentelemetry.propagators.textmap import Getter
from opentelemetry.trace import (
    Link,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TracerProvider,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

from schemas import NlpError
from schemas.headers import TRACEPARENT, TRACESTATE, Headers

Attributes: TypeAlias = Mapping[str, AttributeValue]
MutableHeaders: TypeAlias = list[tuple[str, bytes | None]]

FLUSH_S = 3.0
"""What a collector may take for the last spans of an ending process; what it has not taken then is lost."""


class _HeadersGetter(Getter[Headers]):
    """Reads a record's headers as text; what is no text is no trace context either."""

    def get(self, carrier: Headers, key: str) -> list[str] | None:
        return [(value or b"").decode(errors="replace") for name, value in carrier if name == key] or None

    def keys(self, carrier: Headers) -> list[str]:
        return [name for name, _ in carrier]


_W3C = TraceContextTextMapPropagator()
_GETTER = _HeadersGetter()


class Spans:
    """Begins spans. Their end is the caller's; nothing of a text or a key is ever written into them."""

    def __init__(self, provider: TracerProvider) -> None:
        self.provider = provider
        self._tracer = provider.get_tracer("nlp", schema_url="https://opentelemetry.io/schemas/1.44.0")

    def process(self, topic: str, headers: Headers, attributes: Attributes) -> Span:
        """Begin the work on a record, as a child of what sent it."""
        described = {**_messaging("process", topic), **attributes}
        return self._tracer.start_span(f"process {topic}", _context_of(headers), SpanKind.CONSUMER, described)

    def send(self, topic: str, headers: MutableHeaders, parent: Span) -> Span:
        """Begin to send a record, and make the span the one trace context of its headers."""
        within = set_span_in_context(parent)
        span = self._tracer.start_span(f"send {topic}", within, SpanKind.PRODUCER, _messaging("send", topic))
        _carry(span, headers)
        return span

    def stage(
        self,
        name: str,
        parent: Span,
        begin_ns: int,
        end_ns: int,
        links: Sequence[SpanContext] = (),
        attributes: Attributes | None = None,
    ) -> SpanContext:
        """Record what has happened already, between two moments in nanoseconds since the epoch."""
        linked = [Link(each) for each in links]
        within = set_span_in_context(parent)
        span = self._tracer.start_span(name, within, attributes=attributes, links=linked, start_time=begin_ns)
        span.end(end_ns)
        return span.get_span_context()

    @contextmanager
    def sending(self, topic: str, headers: MutableHeaders) -> Iterator[None]:
        """Trace the sending of a record within the current span; its headers then carry that."""
        with self._until_done(self.send(topic, headers, get_current_span())):
            yield

    @contextmanager
    def receiving(self, topic: str, headers: Headers) -> Iterator[None]:
        """Trace what is done with a reply that came, as a child of what sent it."""
        described = _messaging("receive", topic)
        span = self._tracer.start_span(f"receive {topic}", _context_of(headers), SpanKind.CONSUMER, described)
        with self._until_done(span):
            yield

    def end(self, span: Span, error_code: str | None = None) -> None:
        """End a span, failed where there is a code."""
        if error_code is not None:
            span.set_attribute("error.type", error_code)
            span.set_status(Status(StatusCode.ERROR, error_code))
        span.end()

    def fail(self, span: Span, fault: BaseException) -> None:
        """End a span with what went wrong."""
        self.end(span, _code_of(fault))

    @contextmanager
    def _until_done(self, span: Span) -> Iterator[None]:
        try:
            yield
        except BaseException as fault:  # told in the span, and raised on
            self.fail(span, fault)
            raise
        self.end(span)

    def shut_down(self) -> None:
        """Send what is left, for `FLUSH_S` at most: a collector that hangs keeps no process."""
        # The SDK's own bound is half a minute, longer than an orchestrator's patience.
        last = Thread(target=_shut_down, args=(self.provider,), name="nlp-last-spans", daemon=True)
        last.start()
        last.join(FLUSH_S)


def export_spans(service: str) -> Spans:
    """Return spans that are sent by OTLP over HTTP, in batches by a thread of the SDK, as the `OTEL_*` variables say.

    A collector that is slow or away costs spans and a line in the log, never time.
    """
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk import trace
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    # It warns at each of its attempts, and of every malformed header that a caller may send.
    logging.getLogger("opentelemetry").setLevel(logging.ERROR)
    # Detected once more, for `create` would prefer our name to the operator's.
    resource = Resource.create({"service.name": service}).merge(OTELResourceDetector().detect())
    provider = trace.TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Spans(provider)


def _code_of(fault: BaseException) -> str:
    """Return what to call a fault in a span: our stable code, or the class of what is not ours."""
    return fault.code if isinstance(fault, NlpError) else type(fault).__name__


def _messaging(operation: str, topic: str) -> Attributes:
    return {
        "messaging.system": "kafka",
        "messaging.operation.name": operation,
        "messaging.operation.type": operation,
        "messaging.destination.name": topic,
    }


def _context_of(headers: Headers) -> Context:
    """Return the trace context that headers carry; an empty one where there is none, or none that can be read."""
    return _W3C.extract(headers, Context(), _GETTER)


def _carry(span: Span, headers: MutableHeaders) -> None:
    """Replace the trace context among the headers: two of them would be two answers to the question for the parent."""
    carrier: dict[str, str] = {}
    _W3C.inject(carrier, set_span_in_context(span))
    if carrier:
        headers[:] = [each for each in headers if each[0] not in (TRACEPARENT, TRACESTATE)]
        headers += [(name, value.encode()) for name, value in carrier.items()]


def _shut_down(provider: TracerProvider) -> None:
    shutdown = getattr(provider, "shutdown", None)  # the API's provider has none, the SDK's has
    if shutdown is not None:
        shutdown()
