"""The spans of a record's way through the worker, put in only where tracing is on.

A record has one span from its taking to its end, and in it one a stage: decode, tokenise, wait, encode, heads, and
the sending of each outcome. An encoder run serves many records: its span stands in the trace of the first of them,
links to all, and is linked from the `encode` of each.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from time import time_ns
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from schemas.headers import REQUEST_ID, first
from worker.batching import Batch
from worker.outputs import Output
from worker.records import Failed, Incoming, Outcome

if TYPE_CHECKING:
    from opentelemetry.trace import Span, SpanContext

    from telemetry.spans import Spans
    from worker.inquiries import Computation, WaitingWindow

ABANDONED = "abandoned"
"""The error of a record that another worker does again, because its partition moved."""

_REQUEST_ID_BYTES = 128
"""As much as the gateway allows; anything longer was written by somebody else."""

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

    def encoded(self, computations: Sequence["Computation"]) -> None:
        """Record the waiting for the encoder and the time in it, as far as the record was there itself.

        What it shares with an earlier record may have been computed before it came.
        """
        runs = dict.fromkeys(run for computation in computations for run in computation.runs or ())
        if not runs:
            return
        began_ns = max(self._last_ns, min(run.begin_ns for run in runs))
        ended_ns = max(began_ns, *(run.end_ns for run in runs))
        self.stage("wait", self._last_ns, began_ns)
        self.stage("encode", began_ns, ended_ns, [run.context for run in runs if run.context is not None])

    async def sending(
        self, output: Output, send: Callable[[Output], Awaitable["asyncio.Future[object]"]]
    ) -> "asyncio.Future[object]":
        """Send an output with the trace context of the span that ends when the broker has confirmed it."""
        span = self._spans.send(output.topic, output.headers, self.span)
        try:
            sent = await send(output)
        except BaseException as fault:  # told in the span, and raised on
            self._spans.fail(span, fault)
            raise
        sent.add_done_callback(partial(self._confirmed, span))
        return sent

    def end(self, outcome: Outcome | None) -> None:
        """End the record's span with what became of it; None where another worker does it again."""
        if outcome is None:
            self._spans.end(self.span, ABANDONED)
            return
        self.span.set_attribute("nlp.id", outcome.record_id)
        self._spans.end(self.span, outcome.error.code if isinstance(outcome, Failed) else None)

    def _confirmed(self, span: "Span", sent: "asyncio.Future[object]") -> None:
        fault = asyncio.CancelledError() if sent.cancelled() else sent.exception()
        if fault is None:
            self._spans.end(span)
        else:
            self._spans.fail(span, fault)


class Tracing:
    """Begins the traces of records, and adds to them what is done for several at once."""

    def __init__(self, spans: "Spans", group: str) -> None:
        self._spans = spans
        self._group = group

    def begin(self, record: Incoming) -> None:
        """Give a record its trace, continued from what sent it."""
        attributes: dict[str, str | int] = {
            "messaging.consumer.group.name": self._group,
            "messaging.destination.partition.id": str(record.partition),
            "messaging.kafka.offset": record.offset,
            "messaging.message.body.size": record.size,
            "nlp.task": record.contract.name,
        }
        asked_as = first(record.headers, REQUEST_ID)
        if asked_as is not None:
            attributes["messaging.message.conversation_id"] = asked_as[:_REQUEST_ID_BYTES].decode(errors="replace")
        record.trace = RecordTrace(self._spans, self._spans.process(record.topic, record.headers, attributes))

    def tokenised(self, begun: Sequence["Computation"], begin_ns: int) -> None:
        """Record that passages were read together, from a moment until now; their runs are noted from here on."""
        end_ns = time_ns()
        for trace in _traces(begun):
            trace.stage("tokenise", begin_ns, end_ns)
        for computation in begun:
            computation.runs = []

    def ran(self, waiting: Sequence["WaitingWindow"], batch: Batch, seconds: float) -> None:
        """Record an encoder run that has just ended."""
        end_ns = time_ns()
        begin_ns = end_ns - round(seconds * 1e9)
        computations = list(dict.fromkeys(each.computation for each in waiting))
        served = [trace for trace in _traces(computations) if trace.is_kept]
        context = self._run_span(served, batch, begin_ns, end_ns) if served else None
        run = Run(begin_ns, end_ns, context)
        for computation in computations:
            if computation.runs is not None:
                computation.runs.append(run)

    def _run_span(self, served: Sequence[RecordTrace], batch: Batch, begin_ns: int, end_ns: int) -> "SpanContext":
        links = [trace.span.get_span_context() for trace in served]
        attributes = {
            "nlp.batch.windows": len(batch.input_ids),
            "nlp.batch.tokens": batch.tokens,
            "nlp.batch.padded_tokens": batch.padded_tokens,
        }
        return self._spans.stage("encoder run", served[0].span, begin_ns, end_ns, links, attributes)


def _traces(computations: Sequence["Computation"]) -> list[RecordTrace]:
    """Return the traces of all records that wait for any of the computations, each once."""
    # A copy of each list, at once: others may join while it is read.
    inquiries = [inquiry for computation in computations for inquiry in tuple(computation.inquiries)]
    records = dict.fromkeys(inquiry.record for inquiry in inquiries)
    return [record.trace for record in records if record.trace is not None]
