"""A gateway without Kafka: the app as it is, over a link that answers as the test says."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, NoReturn

import httpx
from fastapi import FastAPI

from gateway.app import create_app
from gateway.link import OnFailed, OnReply
from gateway.replies import Reply
from gateway.settings import Settings
from schemas import KafkaConnection, Limits, NlpError, Topics
from schemas.errors import BrokerUnavailable
from schemas.headers import Headers, ReplyHeaderNames


@dataclass(frozen=True)
class Sent:
    """One record as the gateway handed it over."""

    topic: str
    key: bytes | None
    value: bytes
    headers: Headers


Answer = Callable[[Sent], tuple[bytes, Sequence[tuple[str, bytes]]] | NlpError | None]


@dataclass
class FakeLink:
    """Answers each record with what `answer` makes of it: a reply, a failure to deliver, or nothing."""

    answer: Answer = lambda _: None
    unready_reason: str | None = None
    reply_partition: int = 3
    is_delivered: bool = True
    sent: list[Sent] = field(default_factory=list)
    on_reply: OnReply = lambda _: None

    async def run(self, on_reply: OnReply) -> NoReturn:
        """Carry until cancelled."""
        self.on_reply = on_reply
        await asyncio.Event().wait()
        raise AssertionError("never set")

    async def send(
        self, topic: str, key: bytes | None, value: bytes, headers: Headers, on_failed: OnFailed
    ) -> Callable[[], bool]:
        """Note the record and answer it."""
        if self.unready_reason is not None:
            raise BrokerUnavailable(self.unready_reason)
        record = Sent(topic, key, value, headers)
        self.sent.append(record)
        answer = self.answer(record)
        if isinstance(answer, NlpError):
            on_failed(answer)
        elif answer is not None:
            self.on_reply(Reply(answer[0], [*headers, *answer[1]]))
        return lambda: self.is_delivered


def app_with(link: FakeLink, limits: Limits | None = None, **settings: Any) -> FastAPI:
    """Return the whole app over the link."""
    return create_app(
        Settings(**settings),
        KafkaConnection(),
        Topics(),
        limits or Limits(),
        ReplyHeaderNames(),
        link_type=lambda *_: link,
    )


@asynccontextmanager
async def client_of(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Run the app without a socket, and return a client of it."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://gateway") as client,
    ):
        await asyncio.sleep(0)  # lets the app begin to read replies
        yield client


async def samples_of(client: httpx.AsyncClient, name: str) -> list[str]:
    """Return the lines of one metric."""
    text = (await client.get("/metrics")).text
    return [line for line in text.splitlines() if line.startswith((f"{name} ", f"{name}{{"))]
