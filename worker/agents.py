"""One agent for each topic of requests: raw records into the pipeline."""

from typing import cast

import faust
from faust.streams import Stream
from faust.types import StreamT
from mode import CrashingSupervisor

from schemas import CONTRACTS, Contract, Topics
from worker.delivery import Delivery, InFlight
from worker.metrics import Metrics
from worker.pipeline import Pipeline
from worker.progress import Progress
from worker.records import Incoming
from worker.tracing import Tracing


class Intake:
    """Takes records while there is room: into the delivery's books first, then into the pipeline."""

    def __init__(
        self,
        pipeline: Pipeline,
        delivery: Delivery,
        in_flight: InFlight,
        progress: Progress,
        metrics: Metrics,
        tracing: Tracing | None = None,
    ) -> None:
        self._pipeline = pipeline
        self._delivery = delivery
        self._in_flight = in_flight
        self._progress = progress
        self._metrics = metrics
        self._tracing = tracing

    def add_agents(self, app: faust.App, topics: Topics) -> None:
        """Add an agent for each contract."""
        for contract in CONTRACTS:
            self._add_agent(app, contract, contract.requests(topics))

    def _add_agent(self, app: faust.App, contract: Contract, topic: str) -> None:
        # Raw bytes: Faust acknowledges a record it cannot decode, then crashes the agent.
        channel = app.topic(topic, key_serializer="raw", value_serializer="raw")
        consumed = self._metrics.consumed.labels(contract.name)

        # Restarting only the agent would leave a gap that is never committed, so the process ends instead.
        @app.agent(channel, name=contract.name, supervisor_strategy=CrashingSupervisor)
        async def take_all(stream: StreamT[bytes]) -> None:
            async for event in cast(Stream[bytes], stream).noack().events():
                message = event.message
                record = Incoming(
                    contract,
                    message.topic,
                    message.partition,
                    message.offset,
                    message.key,
                    message.value,
                    message.headers or (),
                    round(message.timestamp * 1000),
                    self._progress.of(message.topic, message.partition),
                )
                if self._tracing is not None:
                    self._tracing.begin(record)
                consumed.inc()
                self._delivery.take(record)
                self._pipeline.submit(record)
                if self._in_flight.is_full:
                    await self._in_flight.room()
