"""Names and encodings of every header we read or write: all other headers pass through untouched.

The reply headers are those of Spring Kafka, SmallRye reads and writes the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from schemas.errors import InvalidHeader, RecordError

Headers: TypeAlias = Sequence[tuple[str, bytes | None]]
"""As Kafka has them: ordered, and a name may be there more than once."""

ID = "nlp-id"
MODEL = "nlp-model"
SOURCE = "nlp-source"
DEADLINE = "nlp-deadline"
EVENT_TIME = "nlp-event-time"
"""Decimal, epoch milliseconds: an event time that an output could not have, because topics refuse it."""
ERROR_CODE = "nlp-error-code"
ERROR_DETAIL = "nlp-error-detail"
REQUEST_ID = "nlp-request-id"
"""The id of the HTTP request that a record came of; like a caller's own headers it passes through."""
REPLAYS = "nlp-replays"
"""Decimal: how often the record was replayed from the dead letters. It travels as a caller's header does."""
TRACEPARENT = "traceparent"
TRACESTATE = "tracestate"

CONNECT_TOPIC = "__connect.errors.topic"
CONNECT_PARTITION = "__connect.errors.partition"
CONNECT_OFFSET = "__connect.errors.offset"
CONNECT_CONNECTOR = "__connect.errors.connector.name"
CONNECT_TASK = "__connect.errors.task.id"
CONNECT_STAGE = "__connect.errors.stage"
CONNECT_CLASS = "__connect.errors.class.name"
CONNECT_EXCEPTION = "__connect.errors.exception.class.name"
CONNECT_MESSAGE = "__connect.errors.exception.message"

OWN = frozenset(
    {
        ID,
        MODEL,
        SOURCE,
        EVENT_TIME,
        ERROR_CODE,
        ERROR_DETAIL,
        CONNECT_TOPIC,
        CONNECT_PARTITION,
        CONNECT_OFFSET,
        CONNECT_CONNECTOR,
        CONNECT_TASK,
        CONNECT_STAGE,
        CONNECT_CLASS,
        CONNECT_EXCEPTION,
        CONNECT_MESSAGE,
    }
)
"""Written by the worker on every output: a caller's header of the same name would be a lie about its origin."""

_INT32 = range(2**31)


class ReplyHeaderNames(BaseSettings):
    """What the request/reply headers are called; the defaults are Spring's."""

    model_config = SettingsConfigDict(env_prefix="NLP_HEADER_", frozen=True)

    correlation_id: str = Field(default="kafka_correlationId", description="Comes back on the reply as it was.")
    reply_topic: str = Field(default="kafka_replyTopic", description="Where the caller reads its reply.")
    reply_partition: str = Field(default="kafka_replyPartition", description="4 bytes, big-endian.")


@dataclass(frozen=True, slots=True)
class ReplyTo:
    """Where a caller waits for its reply; `partition` None leaves the choice to the producer."""

    topic: str
    partition: int | None
    correlation_id: bytes


def first(headers: Headers, name: str) -> bytes | None:
    """Return the first value of a header, None where it is missing."""
    for key, value in headers:
        if key == name:
            return value
    return None


def encode_partition(partition: int) -> bytes:
    """Return a partition as Spring writes it: 4 bytes, big-endian."""
    return partition.to_bytes(4, "big", signed=True)


def encode_deadline(epoch_ms: int) -> bytes:
    """Return a deadline, milliseconds since the epoch, as decimal digits."""
    return str(epoch_ms).encode()


def read_reply_to(headers: Headers, names: ReplyHeaderNames) -> ReplyTo | None:
    """Return where the reply goes, None where none was asked for; raises `InvalidHeader`."""
    correlation_id = first(headers, names.correlation_id)
    topic = first(headers, names.reply_topic)
    if correlation_id is None or topic is None:
        return None
    return ReplyTo(_topic_name(names.reply_topic, topic), _partition(headers, names), correlation_id)


def read_deadline(headers: Headers) -> int | None:
    """Return the deadline in milliseconds since the epoch, None where there is none; raises `InvalidHeader`."""
    value = first(headers, DEADLINE)
    if value is None:
        return None
    if not value.isdigit() or len(value) > 15:
        raise InvalidHeader(f"{DEADLINE}: not an epoch in milliseconds", field=DEADLINE)
    return int(value)


def error_headers(error: RecordError) -> list[tuple[str, bytes]]:
    """Return the headers that say what was wrong."""
    return [(ERROR_CODE, error.code.encode()), (ERROR_DETAIL, error.detail.encode())]


def connect_headers(
    error: RecordError, *, topic: str, partition: int, offset: int, stage: str
) -> list[tuple[str, bytes]]:
    """Return Kafka Connect's dead-letter headers (KIP-298), so that its tools read our dead letters."""
    kind = type(error)
    return [
        (CONNECT_TOPIC, topic.encode()),
        (CONNECT_PARTITION, str(partition).encode()),
        (CONNECT_OFFSET, str(offset).encode()),
        (CONNECT_CONNECTOR, b"nlp-worker"),
        (CONNECT_TASK, b"0"),
        (CONNECT_STAGE, stage.encode()),
        (CONNECT_CLASS, b"worker.pipeline.Pipeline"),
        (CONNECT_EXCEPTION, f"{kind.__module__}.{kind.__qualname__}".encode()),
        (CONNECT_MESSAGE, error.detail.encode()),
    ]


def _topic_name(header: str, topic: bytes) -> str:
    try:
        return topic.decode("ascii")
    except UnicodeDecodeError:
        raise InvalidHeader(f"{header}: not a topic's name", field=header) from None


def _partition(headers: Headers, names: ReplyHeaderNames) -> int | None:
    value = first(headers, names.reply_partition)
    if value is None:
        return None
    partition = int.from_bytes(value, "big", signed=True)
    if len(value) != 4 or partition not in _INT32:
        raise InvalidHeader(f"{names.reply_partition}: not 4 bytes, big-endian", field=names.reply_partition)
    return partition
