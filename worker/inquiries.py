"""Requests under way, and the passages they share: equal passages in flight are computed once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from threading import Lock
from time import time

from schemas import AnyRequest, RecordError
from schemas.errors import Expired
from worker.encoder import WindowLogits
from worker.record_trace import Run
from worker.records import Incoming
from worker.tasks import AnyTask, Encoded
from worker.tokenizer import Passage, Reading, Window


@dataclass(slots=True, eq=False)
class Inquiry:
    """A request and the passages it waits for; `deadline_ms` is epoch milliseconds."""

    record: Incoming
    record_id: str
    task: AnyTask
    request: AnyRequest
    deadline_ms: int | None
    waits_for: list["Computation"] = field(default_factory=list)
    missing: int = 0
    is_settled: bool = False

    @property
    def runs(self) -> Iterator[Run]:
        """The encoder runs that it waited for, as far as they were noted."""
        return (run for computation in self.waits_for for run in computation.runs or ())

    def is_expired(self, now_ms: float) -> bool:
        """Whether nobody waits for the answer any more."""
        return self.deadline_ms is not None and now_ms > self.deadline_ms


@dataclass(slots=True, eq=False)
class Computation:
    """One passage on its way through the encoder, for all the inquiries that need it."""

    passage: Passage
    inquiries: list[Inquiry]
    reading: Reading | None = None
    logits: list[WindowLogits | None] = field(default_factory=list)
    missing: int = 0
    error: RecordError | None = None
    runs: list[Run] | None = None
    """The encoder runs of its windows, noted where tracing is on."""
    lock: Lock = field(default_factory=Lock)

    @property
    def encoded(self) -> Encoded:
        """The passage with its logits, once none is missing."""
        if self.reading is None or self.missing:
            raise RuntimeError("a passage was decoded before it was encoded. This is a bug.")
        return Encoded(self.reading, tuple(each for each in self.logits if each is not None))

    def set_reading(self, reading: Reading) -> list["WaitingWindow"]:
        """Note the passage's windows and return them, to be computed."""
        self.reading = reading
        self.missing = len(reading.windows)
        self.logits = [None] * self.missing
        now = time()
        return [WaitingWindow(self, number, window, now) for number, window in enumerate(reading.windows)]


@dataclass(frozen=True, slots=True, eq=False)
class WaitingWindow:
    """One window of a computation, waiting since `since` (epoch seconds) for an encoder run."""

    computation: Computation
    number: int
    window: Window
    since: float


class PassagesInFlight:
    """Passage to its computation; used by several threads at once."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._computations: dict[Passage, Computation] = {}

    def __len__(self) -> int:
        return len(self._computations)

    def join(self, inquiry: Inquiry, passages: Sequence[Passage]) -> list[Computation]:
        """Let an inquiry wait for its passages; returns those that nobody has begun yet."""
        begun = []
        joined: dict[Passage, Computation] = {}
        with self._lock:
            for passage in dict.fromkeys(passages):
                computation = self._computations.get(passage)
                if computation is None:
                    computation = self._computations[passage] = Computation(passage, [])
                    begun.append(computation)
                computation.inquiries.append(inquiry)
                joined[passage] = computation
            inquiry.missing = len(joined)
            inquiry.waits_for = [joined[passage] for passage in passages]
        return begun

    def leave(self, computation: Computation) -> list[Inquiry]:
        """Close a computation, done or failed: nobody joins it from here on. Returns who waits for it."""
        with self._lock:
            self._computations.pop(computation.passage, None)
        return computation.inquiries

    def expire(self, computation: Computation, now_ms: float) -> bool:
        """Fail a computation that nobody waits for any more; returns whether it has failed."""
        if any(each.deadline_ms is None for each in computation.inquiries):
            return computation.error is not None
        with self._lock:
            if computation.error is None and all(each.is_expired(now_ms) for each in computation.inquiries):
                computation.error = Expired("the deadline passed before inference")
                self._computations.pop(computation.passage, None)
        return computation.error is not None
