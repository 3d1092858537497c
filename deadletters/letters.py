"""One dead letter: where it stands, where it came from, what was wrong, and the record it was."""

from dataclasses import dataclass
from datetime import UTC, datetime

from aiokafka.structs import ConsumerRecord

from schemas import headers
from schemas.headers import Headers, ReplyHeaderNames

_MAX_DIGITS = 9
"""Of a number in a header: nobody replays a record a thousand million times."""


@dataclass(frozen=True, slots=True)
class Source:
    """The record that failed."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}]@{self.offset}"


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter as it stands on its topic.

    `source` is None where the headers do not tell it, `time_ms` is the event time, epoch milliseconds.
    """

    partition: int
    offset: int
    time_ms: int
    source: Source | None
    code: str
    detail: str
    replays: int
    key: bytes | None
    value: bytes | None
    headers: Headers

    @property
    def position(self) -> str:
        """Where it stands, as the command takes it: `partition@offset`."""
        return f"{self.partition}@{self.offset}"

    @property
    def time(self) -> str:
        """The event time for people, ISO 8601; empty where the record has none."""
        if self.time_ms < 0:
            return ""
        return datetime.fromtimestamp(self.time_ms / 1_000, UTC).isoformat(timespec="milliseconds")

    def headers_to_replay(self, unattended: ReplyHeaderNames | None) -> list[tuple[str, bytes | None]]:
        """Return the caller's headers as they were, and the count of replays raised by this one.

        With `unattended`, reply and deadline headers are left off: their caller has long gone.
        """
        dropped = headers.OWN | {headers.REPLAYS}
        if unattended is not None:
            dropped |= {headers.DEADLINE, unattended.correlation_id, unattended.reply_topic, unattended.reply_partition}
        kept = [(name, value) for name, value in self.headers if name not in dropped]
        return [*kept, (headers.REPLAYS, str(self.replays + 1).encode())]

    def has_expired(self, now_ms: int) -> bool:
        """Whether its deadline has passed, so that it would only expire once more."""
        deadline = _number(headers.first(self.headers, headers.DEADLINE), digits=15)
        return deadline is not None and deadline < now_ms


def read_letter(record: "ConsumerRecord[bytes | None, bytes | None]") -> Letter:
    """Return the dead letter that a record of the dead-letter topic is, whoever wrote it."""
    event_ms = _number(headers.first(record.headers, headers.EVENT_TIME), digits=15)
    return Letter(
        record.partition,
        record.offset,
        record.timestamp if event_ms is None else event_ms,
        _source(record.headers),
        _text(headers.first(record.headers, headers.ERROR_CODE)) or "unknown",
        _text(headers.first(record.headers, headers.ERROR_DETAIL)),
        _number(headers.first(record.headers, headers.REPLAYS)) or 0,
        record.key,
        record.value,
        record.headers,
    )


def _source(found: Headers) -> Source | None:
    """Return where the record came from, by Kafka Connect's headers: each is one name or one number."""
    topic = _text(headers.first(found, headers.CONNECT_TOPIC))
    partition = _number(headers.first(found, headers.CONNECT_PARTITION))
    offset = _number(headers.first(found, headers.CONNECT_OFFSET), digits=18)
    if not topic or partition is None or offset is None:
        return None
    return Source(topic, partition, offset)


def _text(value: bytes | None) -> str:
    return (value or b"").decode(errors="backslashreplace")


def _number(value: bytes | None, digits: int = _MAX_DIGITS) -> int | None:
    return int(value) if value is not None and value.isdigit() and len(value) <= digits else None
