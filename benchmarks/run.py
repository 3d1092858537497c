"""One run of the benchmark: the ways in turn, over the same texts, with the same model and threads."""

import asyncio
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from time import monotonic

from benchmarks.machine import describe_machine
from benchmarks.measure import Spent, peak_memory_bytes, spending
from benchmarks.plain import PlainLoop
from benchmarks.processes import running_broker, running_gateway, running_naive, running_worker
from benchmarks.results import NAIVE, ONE_BY_ONE, PRODUCT, SORTED, WAYS, Results
from benchmarks.stream import pass_through
from benchmarks.texts import draw_texts
from benchmarks.web import WARM_UP, round_trips
from schemas import KafkaConnection, Topics
from schemas.provision import create_topics
from worker.settings import Settings as WorkerSettings
from worker.tokenizer import Passage

WARM_UP_TEXTS = 60
OTHER_SEED = 5
"""Of the texts that warm up and that are sent over HTTP: none of the measured ones."""
ROUNDS_S = 180.0
"""No further round begins after this long: on a busy machine fewer rounds count, not a longer wait."""
HTTP_TOKENS = range(29, 34)
"""Tokens of the texts sent over HTTP, special ones not counted."""

Way = Callable[[list[str], str], Spent]
"""Does all texts, under a name that no other pass has."""


@dataclass(frozen=True, slots=True)
class Options:
    """How much is measured, on how many engine threads; `starts` is how often a worker's start is timed."""

    bundle: Path
    documents: int
    rounds: int
    requests: int
    threads: int
    starts: int


def run(options: Options, say: Callable[[str], None]) -> Results:
    """Measure everything; `say` is told what is being done. Raises what the parts raise."""
    machine = describe_machine()
    budget = WorkerSettings.model_fields["max_batch_tokens"].default
    plain = PlainLoop(options.bundle, options.threads, budget)
    texts = draw_texts(options.documents)
    readings = plain.tokenizer.read_all([Passage(text) for text in texts])
    with tempfile.TemporaryDirectory(prefix="bench-") as directory, running_broker(Path(directory)) as connection:
        asyncio.run(create_topics(connection, Topics()))
        setting = Setting(options, Path(directory), connection, plain)
        ready_s = setting.time_starts(say)
        with running_worker(Path(directory), connection, options.bundle, options.threads) as (worker, last_ready_s):
            rounds = setting.measure_rounds(worker, texts, say)
            say(f"HTTP, {options.requests} requests")
            http_s = setting.measure_http()
            memory = peak_memory_bytes(worker)
    return Results(
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        command=" ".join(["python -m benchmarks", *sys.argv[1:]]),
        machine=machine,
        model=plain.identity,
        threads=options.threads,
        documents=len(texts),
        tokens=sum(len(reading.starts) for reading in readings),
        windows=sum(len(reading.windows) for reading in readings),
        rounds=rounds,
        peak_memory_bytes=memory,
        ready_s=[*ready_s, last_ready_s],
        http_s=http_s,
    )


@dataclass(frozen=True, slots=True)
class Setting:
    """A running broker and all that is measured on it."""

    options: Options
    directory: Path
    connection: KafkaConnection
    plain: PlainLoop

    def time_starts(self, say: Callable[[str], None]) -> list[float]:
        """Return the seconds of all starts of a worker but the last, each stopped again."""
        times_s = []
        for number in range(1, self.options.starts):
            say(f"start {number} of a worker")
            worker = running_worker(self.directory, self.connection, self.options.bundle, self.options.threads)
            with worker as (_, ready_s):
                times_s.append(ready_s)
        return times_s

    def measure_rounds(self, worker: int, texts: list[str], say: Callable[[str], None]) -> list[dict[str, Spent]]:
        """Return what each way spent in each round; every other round takes them in the opposite order."""
        rounds: list[dict[str, Spent]] = []
        deadline = monotonic() + ROUNDS_S
        with self._ways(worker) as ways:
            for way in WAYS:
                ways[way](draw_texts(WARM_UP_TEXTS, OTHER_SEED), f"warm-up {way}")
            while len(rounds) < self.options.rounds and (monotonic() < deadline or not rounds):
                number = len(rounds) + 1
                spent = {}
                for way in WAYS if number % 2 else WAYS[::-1]:
                    spent[way] = ways[way](texts, f"{number} {way}")
                    say(f"round {number}: {way}: {spent[way].cpu_s:.2f} CPU-s, {spent[way].wall_s:.2f} s")
                rounds.append(spent)
        return rounds

    def measure_http(self) -> list[float]:
        """Return the seconds of the round trips of texts of some 30 tokens."""
        candidates = draw_texts(40 * (self.options.requests + WARM_UP), OTHER_SEED)
        readings = self.plain.tokenizer.read_all([Passage(text) for text in candidates])
        fitting = [reading.passage.text for reading in readings if len(reading.starts) in HTTP_TOKENS]
        with running_gateway(self.directory, self.connection) as port:
            return round_trips(port, fitting[: self.options.requests + WARM_UP])

    @contextmanager
    def _ways(self, worker: int) -> Iterator[dict[str, Way]]:
        options = self.options
        # Topics of its own: the worker and the naive consumer would both answer every document.
        naive_topics, topics = Topics(prefix="naive."), Topics()
        asyncio.run(create_topics(self.connection, naive_topics))
        with running_naive(self.directory, self.connection, options.bundle, options.threads, naive_topics) as naive:
            yield {
                ONE_BY_ONE: partial(_loop, self.plain.one_by_one),
                SORTED: partial(_loop, self.plain.sorted_batches),
                NAIVE: partial(self._stream, naive_topics, naive),
                PRODUCT: partial(self._stream, topics, worker),
            }

    def _stream(self, topics: Topics, process_id: int, texts: list[str], name: str) -> Spent:
        return asyncio.run(pass_through(self.connection, (topics.documents, topics.enriched), texts, process_id, name))


def _loop(work: Callable[[list[str]], object], texts: list[str], _: str) -> Spent:
    with spending(os.getpid()) as spent:
        work(texts)
    return spent
