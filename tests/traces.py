"""Spans kept in memory, and what is asked of them."""

from dataclasses import dataclass, field

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import DEFAULT_ON, Sampler
from opentelemetry.trace import SpanContext, format_span_id, format_trace_id

from schemas.headers import TRACEPARENT, Headers
from telemetry.spans import Spans

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
CALLER = f"00-{TRACE_ID}-b7ad6b7169203331-01"
UNSAMPLED_CALLER = f"{CALLER[:-2]}00"


@dataclass
class Traces:
    """Records spans; those that have ended can be looked at."""

    sampler: Sampler = DEFAULT_ON
    _exporter: InMemorySpanExporter = field(default_factory=InMemorySpanExporter)

    def __post_init__(self) -> None:
        provider = TracerProvider(sampler=self.sampler, shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.spans = Spans(provider)

    @property
    def ended(self) -> tuple[ReadableSpan, ...]:
        """All spans that have ended, in that order."""
        return self._exporter.get_finished_spans()

    def named(self, name: str) -> ReadableSpan:
        """Return the one span of that name."""
        found = [span for span in self.ended if span.name == name]
        assert len(found) == 1, f"{len(found)} spans are called {name}: {[span.name for span in self.ended]}"
        return found[0]

    def children_of(self, parent: ReadableSpan) -> list[str]:
        """Return the names of the spans right below one, as they began."""
        below = [span for span in self.ended if span.parent is not None and span.parent.span_id == id_of(parent)]
        return [span.name for span in sorted(below, key=lambda span: span.start_time or 0)]


def context_of(span: ReadableSpan) -> SpanContext:
    """Return a span's ids."""
    context: SpanContext | None = span.context
    assert context is not None
    return context


def id_of(span: ReadableSpan) -> int:
    """Return a span's id."""
    return context_of(span).span_id


def traceparent_of(span: ReadableSpan) -> bytes:
    """Return the header that names a span as the parent."""
    context = context_of(span)
    ids = f"{format_trace_id(context.trace_id)}-{format_span_id(context.span_id)}"
    return f"00-{ids}-{context.trace_flags:02x}".encode()


def traceparents(headers: Headers) -> list[bytes | None]:
    """Return the values of all `traceparent` headers."""
    return [value for name, value in headers if name == TRACEPARENT]
