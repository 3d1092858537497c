"""Gateways served in the test's own process, and a stand-in for the workers behind them."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import uvicorn
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from fastapi import FastAPI

from gateway.app import create_app
from gateway.connection import connection_type
from gateway.settings import Settings
from schemas import CONTRACTS, KafkaConnection, Limits, Topics
from schemas.headers import ID, MODEL, SOURCE, ReplyHeaderNames, read_reply_to
from tests.integration.polling import eventually

NAMES = ReplyHeaderNames()
WITHIN_S = 30.0


async def until(holds: Callable[[], Any], within_s: float = WITHIN_S) -> None:
    """Return as soon as `holds()` is true, awaiting it where it is a coroutine; fails after `within_s`."""

    async def look() -> bool:
        value = holds()
        return bool(await value if asyncio.iscoroutine(value) else value)

    await eventually(look, "what the test waits for", within_s)


@dataclass(frozen=True)
class Gateway:
    """A gateway that listens, and a client of it."""

    client: httpx.AsyncClient
    port: int
    server: uvicorn.Server

    async def is_ready(self) -> bool:
        """Whether it says that it can answer."""
        return (await self.client.get("/health/ready")).status_code == 200

    async def metric(self, name: str, **labels: str) -> float:
        """Return one sample of its metrics, 0 where there is none."""
        for line in (await self.client.get("/metrics")).text.splitlines():
            sample, _, value = line.rpartition(" ")
            if sample.partition("{")[0] == name and all(f'{key}="{text}"' in sample for key, text in labels.items()):
                return float(value)
        return 0.0

    async def ask(self, task: str, body: dict[str, Any], **options: Any) -> httpx.Response:
        """Ask for a prediction."""
        return await self.client.post(f"/predict/{task}", json=body, **options)


@asynccontextmanager
async def gateway_on(connection: KafkaConnection, topics: Topics, **settings: Any) -> AsyncIterator[Gateway]:
    """Serve a gateway on a free port; it may not be ready yet."""
    async with serving(create_app(Settings(**settings), connection, topics, Limits(), NAMES), **settings) as gateway:
        yield gateway


@asynccontextmanager
async def serving(app: FastAPI, **settings: Any) -> AsyncIterator[Gateway]:
    """Serve the app on a free port, as `python -m gateway` does."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            http=connection_type(Settings(**settings)),
            ws="none",
            log_config=None,
            lifespan="on",
            timeout_keep_alive=75,
            timeout_graceful_shutdown=2,
        )
    )
    running = asyncio.create_task(server.serve(sockets=[listener]))
    port = listener.getsockname()[1]
    limits = httpx.Limits(max_connections=None)
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60, limits=limits) as client:
            await until(lambda: server.started or running.done())
            yield Gateway(client, port, server)
    finally:
        server.should_exit = True
        await running


@asynccontextmanager
async def ready_gateway(connection: KafkaConnection, topics: Topics, **settings: Any) -> AsyncIterator[Gateway]:
    """Serve a gateway on a free port, ready to answer."""
    async with gateway_on(connection, topics, **settings) as gateway:
        await until(gateway.is_ready)
        yield gateway


Answer = Callable[[ConsumerRecord], tuple[bytes, list[tuple[str, bytes]]] | None]


@dataclass
class Answering:
    """Reads every request topic and replies as the workers do, with what `answer` makes of a record."""

    connection: KafkaConnection
    topics: Topics
    answer: Answer
    seen: list[ConsumerRecord] = field(default_factory=list)

    async def run(self, started: asyncio.Event) -> None:
        """Answer until cancelled."""
        consumer = AIOKafkaConsumer(
            *(contract.requests(self.topics) for contract in CONTRACTS),
            **self.connection.client_options(),
            auto_offset_reset="earliest",
        )
        async with consumer, AIOKafkaProducer(**self.connection.client_options()) as producer:
            started.set()
            async for record in consumer:
                await self.reply(producer, record)

    async def reply(self, producer: AIOKafkaProducer, record: ConsumerRecord) -> None:
        """Reply to one record where it asks for it."""
        self.seen.append(record)
        to = read_reply_to(record.headers, NAMES)
        answered = self.answer(record)
        if to is None or answered is None:
            return
        value, headers = answered
        source = f"{record.topic}[{record.partition}]@{record.offset}".encode()
        own = [(ID, record.key or b"none"), (MODEL, b"echo 1"), (SOURCE, source), *headers]
        await producer.send(to.topic, value, record.key, to.partition, headers=[*record.headers, *own])


@asynccontextmanager
async def answering(connection: KafkaConnection, topics: Topics, answer: Answer) -> AsyncIterator[Answering]:
    """Answer requests while the block runs."""
    worker = Answering(connection, topics, answer)
    started = asyncio.Event()
    task = asyncio.create_task(worker.run(started))
    await asyncio.wait({task, asyncio.create_task(started.wait())}, return_when=asyncio.FIRST_COMPLETED)
    try:
        yield worker
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def end_of(connection: KafkaConnection, topic: str, partition: int) -> int:
    """Return the offset after the last record of a partition."""
    async with AIOKafkaConsumer(**connection.client_options()) as consumer:
        where = TopicPartition(topic, partition)
        ends: dict[TopicPartition, int] = await consumer.end_offsets([where])
        return ends[where]
