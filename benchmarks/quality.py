"""Scores the product from end to end: `python -m benchmarks.quality`.

The sets go in as records and come back as records, through a Kafka broker and a worker process of their own; the same
metrics must come out as from `training.evaluate`, which has neither. It stands here and not in `training` because here
is what starts brokers and workers. Exit status: 0 equal, 1 not equal, 2 not measured.
"""

import asyncio
import sys
import tempfile
from pathlib import Path

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from pydantic_settings import CliApp
from rich.console import Console
from rich.progress import Progress, TaskID

from benchmarks.processes import NotReady, running_broker, running_worker
from benchmarks.stream import STALL_S, Unanswered
from local.errors import LocalError
from schemas import KafkaConnection, NlpError, Record, Topics, codec
from schemas.provision import create_topics
from training.bundle import read_metrics
from training.card import METRIC_TITLES, markdown_table
from training.data import DataError
from training.evaluate import record
from training.reading import Reader, progress_bars
from training.sets import LabelledSet, load_reported
from training.settings import MeasureSettings
from worker.bundle import Bundle, load_bundle

TOLERANCE_POINTS = 0.1

EQUAL, NOT_EQUAL, NOT_MEASURED = 0, 1, 2


async def answer(
    connection: KafkaConnection, topics: Topics, labelled: LabelledSet, progress: Progress
) -> list[Record]:
    """Return the results of the set's requests, in their order, as a worker puts them on their topic.

    Raises `Unanswered` where one became a dead letter, or nothing has come for a minute.
    """
    contract = labelled.contract
    requests = {f"{contract.name}-{number}": request for number, request in enumerate(labelled.requests)}
    options = connection.client_options()
    consumer = AIOKafkaConsumer(**options)
    async with consumer, AIOKafkaProducer(**options, linger_ms=5) as producer:
        partitions = [
            TopicPartition(topic, number)
            for topic in (contract.results(topics), topics.dead_letters)
            for number in await producer.partitions_for(topic)
        ]
        consumer.assign(partitions)
        await consumer.seek_to_end(*partitions)
        for partition in partitions:
            await consumer.position(partition)
        for record_id, request in requests.items():
            value = codec.encode(request.model_copy(update={"id": record_id}))
            await producer.send(contract.requests(topics), value, key=record_id.encode())
        await producer.flush()
        bar = progress.add_task(f"product {labelled.name}", total=len(requests))
        results = await _collect(consumer, labelled, set(requests), topics.dead_letters, (progress, bar))
    return [results[record_id] for record_id in requests]


async def _collect(
    consumer: AIOKafkaConsumer,
    labelled: LabelledSet,
    missing: set[str],
    dead_letters: str,
    shown: tuple[Progress, TaskID],
) -> dict[str, Record]:
    """Return the results by id; the first of each counts, as for any reader who drops repeats."""
    results: dict[str, Record] = {}
    progress, bar = shown
    while missing:
        found = await consumer.getmany(timeout_ms=int(STALL_S * 1_000))
        if not found:
            raise Unanswered(f"{labelled.name}: {len(missing)} records were not answered")
        for partition, records in found.items():
            for each in records:
                if partition.topic == dead_letters:
                    raise Unanswered(f"{labelled.name}: {codec.find_id(each.value)} became a dead letter")
                record_id = str(codec.find_id(each.value))
                if record_id in missing:
                    missing.discard(record_id)
                    results[record_id] = codec.decode(each.value, labelled.contract.result_type)
        progress.update(bar, completed=len(results))
    return results


def measure(bundle: Bundle, settings: MeasureSettings, progress: Progress) -> dict[str, float]:
    """Return the official metrics of the product's answers, as fractions; raises what the parts raise."""
    metrics: dict[str, float] = {}
    sets = load_reported(settings.data, settings.limit)
    with tempfile.TemporaryDirectory(prefix="quality-") as name, running_broker(Path(name)) as connection:
        asyncio.run(create_topics(connection, Topics()))
        with running_worker(Path(name), connection, bundle.directory, settings.threads):
            for labelled in sets:
                metrics |= labelled.metrics(asyncio.run(answer(connection, Topics(), labelled, progress)))
    return metrics


def offline(bundle: Bundle, settings: MeasureSettings, progress: Progress) -> dict[str, float]:
    """Return the metrics without Kafka: those of `metrics.json` for the whole sets, else of the same records."""
    known = read_metrics(bundle.directory).get("int8")
    if settings.limit is None and known is not None:
        return known
    reader = Reader(bundle, bundle.model, settings.threads, progress)
    metrics: dict[str, float] = {}
    for labelled in load_reported(settings.data, settings.limit):
        metrics |= labelled.metrics(reader.read(labelled, "offline").results(bundle.manifest))
    return metrics


def show(product: dict[str, float], alone: dict[str, float], console: Console) -> bool:
    """Print both beside each other; return whether they are equal to `TOLERANCE_POINTS`."""
    rows = [
        [title, f"{100 * alone[name]:.2f}", f"{100 * product[name]:.2f}", f"{100 * (product[name] - alone[name]):+.2f}"]
        for name, title in METRIC_TITLES.items()
    ]
    console.print(markdown_table(["set", "offline", "product", "difference"], rows), soft_wrap=True, markup=False)
    return all(abs(product[name] - alone[name]) * 100 <= TOLERANCE_POINTS for name in METRIC_TITLES)


def main() -> int:
    """Measure, print, and keep the numbers unless only a part of the sets was scored; return the exit status."""
    settings = CliApp.run(MeasureSettings)
    console = Console()
    try:
        bundle = load_bundle(settings.bundle)
        with progress_bars(console) as progress:
            product = measure(bundle, settings, progress)
            alone = offline(bundle, settings, progress)
    except (DataError, LocalError, NlpError, NotReady, Unanswered) as wrong:
        print(f"Nothing was scored: {wrong}", file=sys.stderr)
        return NOT_MEASURED
    is_equal = show(product, alone, console)
    if settings.limit is not None:
        console.print(f"Only {settings.limit} records of each set: nothing was written.")
    else:
        record(bundle, {"product": product})
    return EQUAL if is_equal else NOT_EQUAL


if __name__ == "__main__":
    sys.exit(main())
