"""The spans of a record's way through the worker, put in only where tracing is on.

A record has one span from its taking to its end, and in it one a stage: decode, tokenise, wait, encode, heads, and
the sending of each outcome. An encoder run serves many records: its span stands in the trace of the first of them,
links to all, and is linked from the `encode` of each.
"""

from collections.abc import Sequence
from time import time_ns
from typing import TYPE_CHECKING

from schemas.headers import REQUEST_ID, first
from worker.batching import Batch
from worker.inquiries import Computation, WaitingWindow
from worker.record_trace import RecordTrace, Run
from worker.records import Incoming

if TYPE_CHECKING:
    from opentelemetry.trace import SpanContext

    from telemetry.spans import Spans

_REQUEST_ID_BYTES = 128
"""As much as the gateway allows; anything longer was written by somebody else."""


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

    def tokenised(self, begun: Sequence[Computation], begin_ns: int) -> None:
        """Record that passages were read together, from a moment until now; their runs are noted from here on."""
        end_ns = time_ns()
        for trace in _traces(begun):
            trace.stage("tokenise", begin_ns, end_ns)
        for computation in begun:
            computation.runs = []

    def ran(self, waiting: Sequence[WaitingWindow], batch: Batch, seconds: float) -> None:
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


def _traces(computations: Sequence[Computation]) -> list[RecordTrace]:
    """Return the traces of all records that wait for any of the computations, each once."""
    # A copy of each list, at once: others may join while it is read.
    inquiries = [inquiry for computation in computations for inquiry in tuple(computation.inquiries)]
    records = dict.fromkeys(inquiry.record for inquiry in inquiries)
    return [record.trace for record in records if record.trace is not None]
