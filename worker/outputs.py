"""An outcome as the records that tell it: a result or a reply, a dead letter, an error reply."""

from collections.abc import Iterator
from dataclasses import dataclass
from time import time

from schemas import RecordError, Topics, headers
from schemas.errors import InvalidHeader
from schemas.headers import Headers, ReplyHeaderNames, ReplyTo
from worker.records import Answered, Failed, Incoming, Outcome

RESULT = "result"
REPLY = "reply"
ERROR_REPLY = "error_reply"
DEAD_LETTER = "dead_letter"

STAGE_SEND = "KAFKA_PRODUCE"

MAX_AHEAD_MS = 3_600_000
"""How far ahead of the clock an event time may be: Kafka's own default of `message.timestamp.after.max.ms`."""


@dataclass(frozen=True, slots=True)
class Output:
    """One record to be produced; `partition` None leaves the choice to the key."""

    kind: str
    topic: str
    partition: int | None
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]
    timestamp_ms: int | None


class Outputs:
    """Builds outputs: key, event time and the caller's headers go through unchanged."""

    def __init__(self, topics: Topics, names: ReplyHeaderNames, model: str) -> None:
        self._topics = topics
        self._names = names
        self._model = model.encode()

    def of(self, record: Incoming, outcome: Outcome) -> list[Output]:
        """Return what tells the outcome: one record, or a dead letter and an error reply for a caller that waits."""
        reply_to, outcome = self._reply_to(record, outcome)
        if isinstance(outcome, Failed):
            return list(self._failure(record, outcome, reply_to))
        if reply_to is not None:
            return [self._output(record, REPLY, reply_to.topic, reply_to.partition, outcome)]
        return [self._output(record, RESULT, record.contract.results(self._topics), None, outcome)]

    def _reply_to(self, record: Incoming, outcome: Outcome) -> tuple[ReplyTo | None, Outcome]:
        """Return where the reply goes; a reply address that cannot be read is the record's fault."""
        try:
            reply_to = headers.read_reply_to(record.headers, self._names)
        except RecordError as error:
            return None, Failed(outcome.record_id, error, STAGE_SEND)
        if reply_to is not None and reply_to.topic in (*self._topics.inputs, self._topics.dead_letters):
            detail = f"{self._names.reply_topic}: {reply_to.topic} takes no replies"
            refused = InvalidHeader(detail, field=self._names.reply_topic)
            return None, Failed(outcome.record_id, refused, STAGE_SEND)
        return reply_to, outcome

    def _failure(self, record: Incoming, failed: Failed, reply_to: ReplyTo | None) -> Iterator[Output]:
        yield self.dead_letter(record, failed)
        if reply_to is not None:
            yield self._output(record, ERROR_REPLY, reply_to.topic, reply_to.partition, failed)

    def dead_letter(self, record: Incoming, failed: Failed) -> Output:
        """Return the record as it came, with the reasons in the headers."""
        connect = headers.connect_headers(
            failed.error, topic=record.topic, partition=record.partition, offset=record.offset, stage=failed.stage
        )
        output = self._output(record, DEAD_LETTER, self._topics.dead_letters, None, failed)
        output.headers.extend(connect)
        return output

    def _output(
        self, record: Incoming, kind: str, topic: str, partition: int | None, outcome: Answered | Failed
    ) -> Output:
        own: list[tuple[str, bytes | None]] = [
            (headers.ID, outcome.record_id.encode()),
            (headers.MODEL, self._model),
            (headers.SOURCE, record.source.encode()),
        ]
        if isinstance(outcome, Failed):
            own += headers.error_headers(outcome.error)
            value = _original(record) if kind == DEAD_LETTER else b""
        else:
            value = outcome.value
        timestamp_ms = _event_time(record)
        if timestamp_ms is None and record.timestamp_ms >= 0:
            own.append((headers.EVENT_TIME, str(record.timestamp_ms).encode()))
        return Output(kind, topic, partition, record.key, value, _passed_on(record.headers) + own, timestamp_ms)


def _event_time(record: Incoming) -> int | None:
    """Return the event time for the outputs; None, the time of writing, where there is none or topics refuse it.

    A refusal takes the whole batch along and leaves a gap in an idempotent producer's sequence, so none is risked.
    """
    is_taken = 0 <= record.timestamp_ms <= 1_000 * time() + MAX_AHEAD_MS
    return record.timestamp_ms if is_taken else None


def _original(record: Incoming) -> bytes | None:
    """Return the record's value; empty where neither value nor key is there, which our producer refuses to send."""
    return b"" if record.key is None and record.value is None else record.value


def _passed_on(received: Headers) -> list[tuple[str, bytes | None]]:
    """Return the caller's headers: all, but those that only we write, and one trace context at most."""
    passed: list[tuple[str, bytes | None]] = []
    traced: set[str] = set()
    for name, value in received:
        if name in headers.OWN or name in traced:
            continue
        if name in (headers.TRACEPARENT, headers.TRACESTATE):
            traced.add(name)
        passed.append((name, value))
    return passed
