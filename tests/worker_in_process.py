"""A worker without Kafka, for traces: intake, pipeline and delivery as they are, over a producer of lists."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from schemas import Contract, Limits, Manifest, Topics
from schemas.headers import Headers, ReplyHeaderNames
from tests.records import incoming
from tests.worker_fixtures import RuleEncoder
from worker.addresses import Addresses
from worker.delivery import Delivery, InFlight
from worker.metrics import Metrics
from worker.outputs import Output, Outputs
from worker.pipeline import Pipeline
from worker.records import Incoming
from worker.tasks import build_tasks
from worker.tokenizer import Tokenizer
from worker.tracing import Tracing


@dataclass
class ListingProducer:
    """Takes every record but those for `refuses`, and confirms at once."""

    sent: list[Output] = field(default_factory=list)
    refuses: tuple[str, BaseException] | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(
        self,
        topic: str,
        value: bytes | None = None,
        key: bytes | None = None,
        partition: int | None = None,
        timestamp_ms: int | None = None,
        headers: list[tuple[str, bytes | None]] | None = None,
    ) -> "asyncio.Future[object]":
        """Note the record."""
        if self.refuses is not None and topic == self.refuses[0]:
            raise self.refuses[1]
        self.sent.append(Output("", topic, partition, key, value, headers or [], timestamp_ms))
        self.changed.set()
        confirmed: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        confirmed.set_result(None)
        return confirmed

    async def count(self, number: int) -> list[Output]:
        """Return what was sent, once it is so many."""
        async with asyncio.timeout(20):
            while len(self.sent) < number:
                self.changed.clear()
                await self.changed.wait()
        return self.sent


class InProcessWorker:
    """Takes records as an agent does."""

    def __init__(self, tokenizer: Tokenizer, manifest: Manifest, encoder: RuleEncoder, tracing: Tracing | None) -> None:
        metrics = Metrics()
        self.producer = ListingProducer()
        self.in_flight = InFlight(100, 1_000_000, metrics)
        tasks = build_tasks(manifest)
        self.pipeline = Pipeline(tokenizer, encoder, tasks, Limits(), metrics, 512, tracing)  # type: ignore[arg-type]
        outputs = Outputs(Topics(), ReplyHeaderNames(), "minilm:1@sha256:0")
        addresses = Addresses(self._partitions)
        self.delivery = Delivery(self.producer, addresses, outputs, self.in_flight, metrics, self._fail)
        self._tracing = tracing
        self._offset = 0

    def take(self, contract: Contract, value: bytes, key: bytes | None = None, headers: Headers = ()) -> Incoming:
        """Take a record of the next offset."""
        topic = contract.requests(Topics())
        record = incoming(value, contract=contract, topic=topic, offset=self._offset, key=key, headers=headers)
        self._offset += 1
        if self._tracing is not None:
            self._tracing.begin(record)
        self.delivery.take(record)
        self.pipeline.submit(record)
        return record

    async def done(self) -> None:
        """Wait until every record is done."""
        assert await self.in_flight.empty(20)
        await asyncio.sleep(0)  # lets the last confirmation be told to all who listen

    async def _partitions(self) -> dict[str, set[int]]:
        return {Topics().replies: set(range(16))}

    def _fail(self, fault: BaseException) -> None:
        raise fault


@asynccontextmanager
async def worker_in_process(
    tokenizer: Tokenizer, manifest: Manifest, encoder: RuleEncoder, tracing: Tracing | None
) -> AsyncIterator[InProcessWorker]:
    """Run a worker while the block runs."""
    worker = InProcessWorker(tokenizer, manifest, encoder, tracing)
    worker.pipeline.start(1, worker.delivery.deliver, worker._fail)
    delivering = asyncio.create_task(worker.delivery.run())
    try:
        yield worker
    finally:
        delivering.cancel()
        worker.pipeline.stop()
