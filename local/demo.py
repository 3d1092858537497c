"""`make demo`: streams the bundled sample through the running system and shows what comes out."""

import asyncio
import logging
import sys
import time
from collections import Counter
from dataclasses import dataclass, field

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord
from pydantic import ValidationError
from rich.console import Console, Group
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from local.samples import Sample, read_samples
from local.settings import Settings
from local.show import show, show_failure
from schemas import CONTRACTS, KafkaConnection, Record, Topics, codec
from schemas.acls import demo_acls
from schemas.errors import AccessDenied, BrokerUnavailable
from schemas.headers import ERROR_CODE, ERROR_DETAIL, SOURCE, first
from schemas.provision import missing_topics
from schemas.settings import explain

_BROKER_S = 5.0
_QUIET_S = 30.0
"""No outcome for so long: no worker runs, or it is stuck."""
_POLL_MS = 200


class NoSystem(RuntimeError):
    """Nothing runs that could be shown."""


@dataclass
class Tally:
    """What was sent, by `topic[partition]@offset`, and what came of it."""

    waiting: dict[str, Sample] = field(default_factory=dict)
    early: dict[str, ConsumerRecord] = field(default_factory=dict)
    results: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    kinds: dict[str, set[str]] = field(default_factory=dict)

    @property
    def done(self) -> int:
        """How many samples have their outcome."""
        return self.results.total() + self.failures.total()

    def count(self, sample: Sample, outcome: ConsumerRecord) -> None:
        """Note the outcome of a sample."""
        code = first(outcome.headers, ERROR_CODE)
        if code is None:
            self.results[outcome.topic] += 1
        else:
            name = code.decode()
            self.failures[name] += 1
            self.examples.setdefault(name, _detail(outcome))
            self.kinds.setdefault(name, set()).add(sample.kind)


class Demo:
    """One pass of all samples through the topics."""

    def __init__(self, connection: KafkaConnection, topics: Topics, console: Console) -> None:
        self._connection = connection
        self._topics = topics
        self._console = console
        self._tally = Tally()
        self._result_types: dict[str, type[Record]] = {
            contract.results(topics): contract.result_type for contract in CONTRACTS
        }
        self._heard_at = time.monotonic()

    async def run(self, samples: list[Sample]) -> bool:
        """Send every sample and show every outcome; return whether all came. Raises `NoSystem`."""
        await self._check_topics()
        outputs = (*self._result_types, self._topics.dead_letters)
        async with (
            AIOKafkaProducer(**self._connection.client_options(), acks="all", linger_ms=5) as producer,
            AIOKafkaConsumer(*outputs, **self._connection.client_options(), fetch_max_wait_ms=_POLL_MS) as consumer,
        ):
            await self._follow_outcomes(consumer)
            started_at = time.monotonic()
            with _progress(self._console) as progress:
                task = progress.add_task("records with their outcome", total=len(samples))
                sending = asyncio.create_task(self._send(producer, samples))
                while self._tally.done < len(samples) and not self._is_quiet():
                    await self._receive(consumer)
                    progress.update(task, completed=self._tally.done)
                await sending
            self._summarise(len(samples), time.monotonic() - started_at)
        return self._tally.done == len(samples)

    async def _check_topics(self) -> None:
        try:
            missing = await missing_topics(self._connection, self._topics, demo_acls(self._topics), wait_s=_BROKER_S)
        except BrokerUnavailable as failed:
            raise NoSystem(
                f"nothing runs at {self._connection.bootstrap_servers}: type `make run` in another terminal, and "
                "`make demo` once it is ready"
            ) from failed
        if missing:
            raise NoSystem(f"the cluster lacks {', '.join(missing)}: type `make run` in another terminal first")

    async def _follow_outcomes(self, consumer: AIOKafkaConsumer) -> None:
        # Without a group the consumer has all partitions of its topics as soon as it has started.
        partitions = consumer.assignment()
        await consumer.seek_to_end(*partitions)
        for partition in partitions:
            # The position is found out here: an outcome may come before the first poll otherwise, unseen.
            await consumer.position(partition)

    async def _send(self, producer: AIOKafkaProducer, samples: list[Sample]) -> None:
        self._heard_at = time.monotonic()
        sent = [(sample, await producer.send(sample.topic, sample.value, key=sample.id.encode())) for sample in samples]
        for sample, future in sent:
            record = await future
            source = f"{record.topic}[{record.partition}]@{record.offset}"
            self._tally.waiting[source] = sample
            if (outcome := self._tally.early.pop(source, None)) is not None:
                self._take(source, outcome)

    def _is_quiet(self) -> bool:
        return time.monotonic() > self._heard_at + _QUIET_S

    async def _receive(self, consumer: AIOKafkaConsumer) -> None:
        for records in (await consumer.getmany(timeout_ms=_POLL_MS)).values():
            for outcome in records:
                source = (first(outcome.headers, SOURCE) or b"").decode()
                if source in self._tally.waiting:
                    self._take(source, outcome)
                else:
                    # Ours, whose offset is still on its way back to us, or somebody else's.
                    self._tally.early[source] = outcome

    def _take(self, source: str, outcome: ConsumerRecord) -> None:
        sample = self._tally.waiting.pop(source)
        self._tally.count(sample, outcome)
        self._heard_at = time.monotonic()
        code = first(outcome.headers, ERROR_CODE)
        if code is not None:
            self._console.print(show_failure(sample.id, sample.kind, code.decode(), _detail(outcome)))
        else:
            result = codec.decode(outcome.value, self._result_types[outcome.topic])
            self._console.print(show(result, sample.value or b""))

    def _summarise(self, total: int, seconds: float) -> None:
        tally = self._tally
        outcomes = Table("topic", "records", title="Outcomes")
        for topic, count in sorted(tally.results.items()):
            outcomes.add_row(topic, str(count))
        outcomes.add_row(self._topics.dead_letters, str(tally.failures.total()))
        reasons = Table("why", "records", "kinds", "for example", title=f"Dead letters ({self._topics.dead_letters})")
        for code, count in tally.failures.most_common():
            reasons.add_row(code, str(count), ", ".join(sorted(tally.kinds[code])), Text(tally.examples[code]))
        speed = f"{tally.done} of {total} records in {seconds:.1f} s: {tally.done / seconds:.1f} records/s"
        self._console.print(Group(outcomes, reasons, Text(speed, style="bold")))
        if tally.waiting:
            missing = ", ".join(sorted(sample.id for sample in tally.waiting.values())[:10])
            self._console.print(f"no outcome in {_QUIET_S:.0f} s for {missing}…: is a worker running?", style="red")


def _detail(outcome: ConsumerRecord) -> str:
    return (first(outcome.headers, ERROR_DETAIL) or b"").decode(errors="replace")


def _progress(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, disable=not console.is_terminal)


def _complain(problem: str, status: int) -> int:
    Console(stderr=True).print(problem, style="red", markup=False, soft_wrap=True)
    return status


def main() -> int:
    """Return the exit status: 0 when every sample has its outcome."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    console = Console()
    try:
        connection, topics, settings = KafkaConnection(), Topics(), Settings()
        if "bootstrap_servers" not in connection.model_fields_set:
            connection = KafkaConnection(bootstrap_servers=f"127.0.0.1:{settings.broker_port}")
        return 0 if asyncio.run(Demo(connection, topics, console).run(read_samples(topics))) else 1
    except ValidationError as invalid:
        return _complain(explain(invalid), 2)
    except (NoSystem, AccessDenied) as problem:
        return _complain(str(problem), 1)
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
