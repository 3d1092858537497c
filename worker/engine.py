"""Encoder runs that isolate faults: a failing batch is bisected, and what fails alone fails alone."""

from collections.abc import Sequence
from time import perf_counter, time

from schemas.errors import InternalError, ServiceError
from worker.batching import Batch, pad
from worker.encoder import Encoder, Logits
from worker.inquiries import Computation, PassagesInFlight, WaitingWindow
from worker.metrics import Metrics
from worker.tokenizer import Window
from worker.tracing import Tracing


class EngineError(ServiceError):
    """The model fails on an input that it answered at start: nobody's record is at fault."""

    code = "engine_failed"


class Engine:
    """Runs batches and hands each window's logits to its computation; used by several threads at once."""

    def __init__(
        self,
        encoder: Encoder,
        passages: PassagesInFlight,
        metrics: Metrics,
        probe: Window,
        tracing: Tracing | None = None,
    ) -> None:
        self._encoder = encoder
        self._passages = passages
        self._metrics = metrics
        self._probe = pad([probe])
        self._tracing = tracing

    def warm_up(self) -> None:
        """Run the encoder once; raises what is wrong with it."""
        self._encoder.run(self._probe)

    def run(self, waiting: Sequence[WaitingWindow]) -> list[Computation]:
        """Compute a batch and return the computations that need nothing more, done or failed."""
        now = time()
        wanted, dropped = [], []
        for each in waiting:
            if self._passages.expire(each.computation, now * 1000):
                dropped.append(each)
            else:
                wanted.append(each)
                self._metrics.queue_wait.observe(max(0.0, now - each.since))
        finished = [each.computation for each in dropped if _end(each)]
        if wanted:
            finished += self._run(wanted)
        return finished

    def _run(self, waiting: Sequence[WaitingWindow]) -> list[Computation]:
        batch = pad([each.window for each in waiting])
        started = perf_counter()
        try:
            logits = self._encoder.run(batch)
        except Exception as fault:  # whatever the model raises, it must not take the batch mates along
            self._metrics.encoder_failures.inc()
            return self._bisect(waiting, fault)
        seconds = perf_counter() - started
        self._measure(batch, seconds)
        if self._tracing is not None:
            self._tracing.ran(waiting, batch, seconds)
        return [each.computation for row, each in enumerate(waiting) if _end(each, logits, row)]

    def _bisect(self, waiting: Sequence[WaitingWindow], fault: Exception) -> list[Computation]:
        if len(waiting) > 1:
            middle = len(waiting) // 2
            return self._run(waiting[:middle]) + self._run(waiting[middle:])
        try:
            self.warm_up()
        except Exception as broken:
            raise EngineError(f"the model fails on every input: {broken}") from fault
        alone = waiting[0]
        alone.computation.error = InternalError(f"inference failed: {type(fault).__name__}")
        return [alone.computation] if _end(alone) else []

    def _measure(self, batch: Batch, seconds: float) -> None:
        metrics = self._metrics
        rows = len(batch.input_ids)
        metrics.inference.observe(seconds)
        metrics.encoder_rows.inc(rows)
        metrics.batch_records.observe(rows)
        metrics.batch_tokens.observe(batch.tokens)
        metrics.padding_ratio.observe(1 - batch.tokens / batch.padded_tokens)


def _end(waiting: WaitingWindow, logits: Logits | None = None, row: int = 0) -> bool:
    """Note that a window is computed or given up; returns whether its computation needs nothing more."""
    computation = waiting.computation
    if logits is not None:
        computation.logits[waiting.number] = logits.of(row, waiting.window)
    with computation.lock:
        computation.missing -= 1
        return computation.missing == 0
