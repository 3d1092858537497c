"""Records in, outcomes out: tokenising, inference and decoding overlap on threads of their own.

The event loop only submits records and gets groups of outcomes back; it never waits for any of the threads.

    submit ─► tokenise ─► WaitingWindows ─► engine × N ─► decode ─► deliver
"""

import asyncio
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from threading import Thread
from time import perf_counter, time, time_ns
from typing import TypeVar

from schemas import Limits, RecordError, codec, headers
from schemas.errors import Expired, InternalError
from worker.batching import Cost
from worker.encoder import Encoder
from worker.engine import Engine
from worker.inquiries import Computation, Inquiry, PassagesInFlight
from worker.metrics import Metrics
from worker.records import Answered, Failed, Incoming, Outcome
from worker.tasks import AnyTask
from worker.tokenizer import Passage, Tokenizer
from worker.tracing import Tracing
from worker.waiting import WaitingWindows

Deliver = Callable[[list[tuple[Incoming, Outcome]]], None]
Item = TypeVar("Item")

GROUP_RECORDS = 64
"""Records tokenised together: tokenising in groups is faster, but the engine waits for the whole group."""

STOP_S = 5.0
"""How long a run under way may take to end; the threads are daemons, so a stuck one does not keep the process."""

STAGE_DECODE = "VALUE_CONVERTER"
STAGE_TASK = "TRANSFORMATION"
"""Stages in Kafka Connect's words, for the dead letters' headers."""


class Pipeline:
    """Shared by all topics and tasks: windows of different tasks travel in one batch."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        encoder: Encoder,
        tasks: dict[str, AnyTask],
        limits: Limits,
        metrics: Metrics,
        max_batch_tokens: int,
        tracing: Tracing | None = None,
    ) -> None:
        self._tokenizer = tokenizer
        self._tasks = tasks
        self._limits = limits
        self._metrics = metrics
        self._passages = PassagesInFlight()
        self._submitted: SimpleQueue[Incoming | None] = SimpleQueue()
        self._waiting = WaitingWindows(max_batch_tokens, Cost())
        self._finished: SimpleQueue[list[Computation] | None] = SimpleQueue()
        probe = tokenizer.read(Passage("Is the model sound?")).windows[0]
        self._engine = Engine(encoder, self._passages, metrics, probe, tracing)
        self._tracing = tracing
        self._threads: list[Thread] = []
        self._deliver: Deliver
        metrics.records_waiting.set_function(self._submitted.qsize)
        metrics.windows_waiting.set_function(self._waiting.__len__)

    def start(self, engine_threads: int, deliver: Deliver, fail: Callable[[BaseException], None]) -> None:
        """Start the threads; `deliver` and `fail` are called on the running event loop.

        `fail` is told when a thread ends by an error: nothing is answered after that.
        """
        self._engine.warm_up()
        self._metrics.engine_threads.set(engine_threads)
        loop = asyncio.get_running_loop()

        def deliver_on_loop(outcomes: list[tuple[Incoming, Outcome]]) -> None:
            loop.call_soon_threadsafe(deliver, outcomes)

        self._deliver = deliver_on_loop
        stages = [self._tokenise_all, *[self._encode_all] * engine_threads, self._decode_all]
        for number, stage in enumerate(stages):
            thread = Thread(target=_guarded, args=(stage, loop, fail), name=f"nlp-{number}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def submit(self, record: Incoming) -> None:
        """Take a record; its outcome comes to `deliver` exactly once."""
        self._submitted.put(record)

    def stop(self) -> None:
        """End the threads; what is not delivered yet is given up."""
        self._submitted.put(None)
        self._waiting.close()
        self._finished.put(None)
        for thread in self._threads:
            thread.join(STOP_S)

    def _tokenise_all(self) -> None:
        while (records := _take_group(self._submitted, GROUP_RECORDS)) is not None:
            started = perf_counter()
            self._tokenise(records)
            self._metrics.tokenise.observe(perf_counter() - started)

    def _tokenise(self, records: Sequence[Incoming]) -> None:
        refused: list[tuple[Incoming, Outcome]] = []
        begun: list[Computation] = []
        for record in records:
            trace = record.trace
            inquiry = self._inquire(record) if trace is None else trace.timed("decode", self._inquire, record)
            if isinstance(inquiry, Failed):
                refused.append((record, inquiry))
            else:
                begun += self._begin(inquiry)
        if refused:
            self._deliver(refused)
        if begun:
            self._read(begun)

    def _inquire(self, record: Incoming) -> Inquiry | Failed:
        task = self._tasks[record.contract.name]
        try:
            request = codec.decode_request(record.value, record.contract.request_type, self._limits)
        except RecordError as error:
            return Failed(codec.find_id(record.value) or record.default_id, error, STAGE_DECODE)
        record_id = request.id or record.default_id
        try:
            deadline_ms = headers.read_deadline(record.headers)
        except RecordError as error:
            return Failed(record_id, error, STAGE_DECODE)
        inquiry = Inquiry(record, record_id, task, request, deadline_ms)
        if inquiry.is_expired(time() * 1000):
            return Failed(record_id, Expired("the deadline had passed when the record was read"), STAGE_DECODE)
        return inquiry

    def _begin(self, inquiry: Inquiry) -> list[Computation]:
        passages = inquiry.task.passages(inquiry.request)
        begun = self._passages.join(inquiry, passages)
        shared = len(set(passages)) - len(begun)
        if shared:
            self._metrics.shared_passages.inc(shared)
        return begun

    def _read(self, begun: list[Computation]) -> None:
        begin_ns = time_ns()
        try:
            readings = self._tokenizer.read_all([each.passage for each in begun])
        except Exception as fault:  # whatever one text raises, its neighbours are read
            if len(begun) > 1:
                for each in begun:
                    self._read([each])
                return
            unexpected = InternalError(f"tokenising failed: {type(fault).__name__}")
            begun[0].error = fault if isinstance(fault, RecordError) else unexpected
            self._finished.put(begun)
            return
        self._metrics.windows.inc(sum(len(reading.windows) for reading in readings))
        if self._tracing is not None:
            self._tracing.tokenised(begun, begin_ns)
        for computation, reading in zip(begun, readings, strict=True):
            self._waiting.put(computation.set_reading(reading))

    def _encode_all(self) -> None:
        while (waiting := self._waiting.take()) is not None:
            finished = self._engine.run(waiting)
            if finished:
                self._finished.put(finished)

    def _decode_all(self) -> None:
        while (groups := _take_group(self._finished, GROUP_RECORDS)) is not None:
            started = perf_counter()
            outcomes = [outcome for group in groups for each in group for outcome in self._settle(each)]
            self._metrics.decode.observe(perf_counter() - started)
            if outcomes:
                self._deliver(outcomes)

    def _settle(self, computation: Computation) -> list[tuple[Incoming, Outcome]]:
        """Return the outcomes of the inquiries for which this was the last passage, or the first that failed."""
        outcomes: list[tuple[Incoming, Outcome]] = []
        for inquiry in self._passages.leave(computation):
            inquiry.missing -= 1
            if inquiry.is_settled or (inquiry.missing and computation.error is None):
                continue
            inquiry.is_settled = True
            outcomes.append((inquiry.record, _traced_outcome(inquiry, computation.error)))
        return outcomes


def _traced_outcome(inquiry: Inquiry, error: RecordError | None) -> Outcome:
    trace = inquiry.record.trace
    if trace is None:
        return _outcome(inquiry, error)
    trace.encoded(inquiry.runs)
    return trace.timed("heads", _outcome, inquiry, error)


def _outcome(inquiry: Inquiry, error: RecordError | None) -> Outcome:
    if error is not None:
        return Failed(inquiry.record_id, error, STAGE_TASK)
    try:
        encoded = [computation.encoded for computation in inquiry.waits_for]
        result = inquiry.task.decode(inquiry.record_id, inquiry.request, encoded)
        return Answered(inquiry.record_id, codec.encode(result))
    except Exception as fault:  # a poison record must become a dead letter, not a crash loop
        failure = InternalError(f"decoding the answer failed: {type(fault).__name__}")
        return Failed(inquiry.record_id, failure, STAGE_TASK)


def _take_group(queue: "SimpleQueue[Item | None]", most: int) -> list[Item] | None:
    """Return what is there, waiting for the first; None when the queue is closed."""
    item = queue.get()
    group: list[Item] = []
    while item is not None:
        group.append(item)
        if len(group) == most or queue.empty():
            return group
        item = queue.get()
    return None


def _guarded(stage: Callable[[], None], loop: asyncio.AbstractEventLoop, fail: Callable[[BaseException], None]) -> None:
    try:
        stage()
    except BaseException as fault:  # a thread that died in silence would leave every record waiting for ever
        loop.call_soon_threadsafe(fail, fault)
