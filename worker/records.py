"""A record on its way through the worker, and what comes of it."""

from dataclasses import dataclass, field
from time import monotonic

from schemas import Contract, RecordError
from schemas.headers import Headers
from worker.progress import PartitionProgress
from worker.record_trace import RecordTrace


@dataclass(slots=True, eq=False)
class Incoming:
    """One record as taken from a topic, compared by identity.

    `timestamp_ms` is the event time, epoch milliseconds. `taken_at` is monotonic seconds. `progress` is that of its
    partition in the assignment under which it was taken.
    """

    contract: Contract
    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp_ms: int
    progress: PartitionProgress
    taken_at: float = field(default_factory=monotonic)
    trace: RecordTrace | None = None
    """Where tracing is on; each stage looks for it, and pays nothing more where it is off."""

    @property
    def size(self) -> int:
        """Bytes of the value."""
        return len(self.value or b"")

    @property
    def source(self) -> str:
        """Where it came from, for people and headers."""
        return f"{self.topic}[{self.partition}]@{self.offset}"

    @property
    def default_id(self) -> str:
        """The id of a record whose caller gave none: the same again when the record is read again."""
        return f"{self.topic}/{self.partition}/{self.offset}"


@dataclass(frozen=True, slots=True)
class Answered:
    """The result of a record, as bytes for its topic."""

    record_id: str
    value: bytes


@dataclass(frozen=True, slots=True)
class Failed:
    """What was wrong with a record, and at which stage it showed."""

    record_id: str
    error: RecordError
    stage: str


Outcome = Answered | Failed
