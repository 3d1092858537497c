"""The part of `AIOKafkaProducer` that worker and dead letters send through: tests put their own in its place."""

import asyncio
from typing import Any, Protocol


class Producer(Protocol):
    """Sends records, and tells when the broker has them."""

    async def send(
        self,
        topic: str,
        value: bytes | None = None,
        key: bytes | None = None,
        partition: int | None = None,
        timestamp_ms: int | None = None,
        headers: list[tuple[str, bytes | None]] | None = None,
    ) -> "asyncio.Future[Any]":
        """Queue a record; the future ends with aiokafka's untyped `RecordMetadata` when the broker has confirmed it."""
