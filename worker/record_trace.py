"""One record's spans, put in only where tracing is on: what the record carries through the stages."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from time import time_ns
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from opentelemetry.trace import Span, SpanContext

    from telemetry.spans import Spans

ABANDONED = "abandoned"
"""The error of a record that another worker does again, because its partition moved."""

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """One encoder run, nanoseconds since the epoch; `context` None where no trace of its records is kept."""

    begin_ns: int
    end_ns: int
    context: "SpanContext | None"


class RecordTrace:
    """One record's spans; used by one thread at a time, in the order of the stages."""

    __slots__ = ("_last_ns", "_spans", "span")

    def __init__(self, spans: "Spans", span: "Span") -> None:
        self._spans = spans
        self.span = span
        self._last_ns = 0

    @property
    def is_kept(self) -> bool:
        """Whether the sampler wants this trace; else only its ids travel on."""
        return self.span.is_recording()

    def timed(self, stage: str, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what the work returns, and record it as a stage."""
        begin_ns = time_ns()
        result = work(*args, **kwargs)
        self.stage(stage, begin_ns, time_ns())
        return result

    def stage(self, name: str, begin_ns: int, end_ns: int, links: Sequence["SpanContext"] = ()) -> None:
        """Record a stage that is over."""
        self._last_ns = end_ns
        if self.is_kept:
            self._spans.stage(name, self.span, begin_ns, end_ns, links)

    def encoded(self, runs: Iterable[Run]) -> None:
        """Record the waiting for the encoder and the time in it, as far as the record was there itself.

        What it shares with an earlier record may have been computed before it came.
        """
        runs = tuple(dict.fromkeys(runs))
        if not runs:
            return
        began_ns = max(self._last_ns, min(run.begin_ns for run in runs))
        ended_ns = max(began_ns, *(run.end_ns for run in runs))
        self.stage("wait", self._last_ns, began_ns)
        self.stage("encode", began_ns, ended_ns, [run.context for run in runs if run.context is not None])

    async def sending(
        self,
        topic: str,
        headers: list[tuple[str, bytes | None]],
        send: Callable[[], Awaitable["asyncio.Future[object]"]],
    ) -> "asyncio.Future[object]":
        """Send what has these headers, which get the context of the span that ends when the broker has confirmed it."""
        span = self._spans.send(topic, headers, self.span)
        try:
            sent = await send()
        except BaseException as fault:  # told in the span, and raised on
            self._spans.fail(span, fault)
            raise
        sent.add_done_callback(partial(self._confirmed, span))
        return sent

    def end(self, record_id: str, error: str | None) -> None:
        """End the record's span; `error` is the code of what was wrong with it."""
        self.span.set_attribute("nlp.id", record_id)
        self._spans.end(self.span, error)

    def abandon(self) -> None:
        """End the record's span, and no more: another worker does it again."""
        self._spans.end(self.span, ABANDONED)

    def _confirmed(self, span: "Span", sent: "asyncio.Future[object]") -> None:
        fault = asyncio.CancelledError() if sent.cancelled() else sent.exception()
        if fault is None:
            self._spans.end(span)
        else:
            self._spans.fail(span, fault)
