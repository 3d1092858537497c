"""One question over Kafka and back: a request record out, its reply in, or the reason why not."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn, Protocol

from gateway.errors import CallerGone
from gateway.link import OnFailed, OnReply
from gateway.metrics import Metrics
from gateway.replies import PendingReplies, Reply, Waiting
from schemas import Contract, Topics
from schemas.errors import RECORD_ERRORS_BY_CODE, BrokerUnavailable, InternalError, ReplyTimeout
from schemas.headers import (
    DEADLINE,
    ERROR_CODE,
    ERROR_DETAIL,
    Headers,
    ReplyHeaderNames,
    encode_deadline,
    encode_partition,
    first,
)

if TYPE_CHECKING:
    from telemetry.spans import Spans


class Link(Protocol):
    """What carries records to the workers and their replies back."""

    @property
    def unready_reason(self) -> str | None:
        """Why requests cannot be sent, None when they can."""

    @property
    def reply_partition(self) -> int:
        """The partition that is read."""

    async def run(self, on_reply: OnReply) -> NoReturn:
        """Carry until cancelled."""

    async def send(
        self, topic: str, key: bytes | None, value: bytes, headers: Headers, on_failed: OnFailed
    ) -> Callable[[], bool]:
        """Send one record, and return a function that tells whether it has arrived."""


@dataclass(frozen=True, slots=True)
class Question:
    """One checked request as it goes to the workers; `headers` are the caller's that travel along."""

    contract: Contract
    value: bytes
    key: bytes | None
    headers: Sequence[tuple[str, bytes]]
    timeout_s: float


class Exchange:
    """Asks questions over the link and gives each reply to its caller."""

    def __init__(
        self,
        link: Link,
        pending: PendingReplies,
        topics: Topics,
        names: ReplyHeaderNames,
        metrics: Metrics,
        spans: "Spans | None" = None,
    ) -> None:
        self._link = link
        self._pending = pending
        self._topics = topics
        self._names = names
        self._metrics = metrics
        self._spans = spans

    async def run(self) -> NoReturn:
        """Carry replies to their callers until cancelled."""
        await self._link.run(self._on_reply)

    async def ask(self, question: Question, caller_gone: Callable[[], Awaitable[None]]) -> Reply:
        """Return the workers' reply.

        `caller_gone` returns when nobody waits for the answer any more. Raises `Overloaded`, `BrokerUnavailable`,
        `ReplyTimeout`, `CallerGone`, or the `RecordError` that the worker answered with.
        """
        started = time.monotonic()
        is_sent = _not_sent
        with self._pending.expect() as waiting:
            leaving = asyncio.create_task(_leave(waiting, caller_gone))
            try:
                async with asyncio.timeout(question.timeout_s):
                    is_sent = await self._send(question, waiting)
                    reply = await waiting.reply
            except TimeoutError:
                within = f"within {question.timeout_s:g} s"
                if not is_sent():
                    raise BrokerUnavailable(f"the broker did not take the request {within}") from None
                raise ReplyTimeout(f"no reply came {within}") from None
            finally:
                leaving.cancel()
        self._metrics.reply_wait.labels(question.contract.name).observe(time.monotonic() - started)
        with self._receiving(reply):
            _raise_error(reply)
        return reply

    async def _send(self, question: Question, waiting: Waiting) -> Callable[[], bool]:
        headers: list[tuple[str, bytes | None]] = [
            *question.headers,
            (self._names.correlation_id, waiting.correlation_id),
            (self._names.reply_topic, self._topics.replies.encode()),
            (self._names.reply_partition, encode_partition(self._link.reply_partition)),
            (DEADLINE, encode_deadline(round(1_000 * (time.time() + question.timeout_s)))),
        ]
        topic = question.contract.requests(self._topics)
        with self._sending(topic, headers):
            return await self._link.send(topic, question.key, question.value, headers, waiting.fail)

    def _sending(self, topic: str, headers: list[tuple[str, bytes | None]]) -> AbstractContextManager[None]:
        return nullcontext() if self._spans is None else self._spans.sending(topic, headers)

    def _receiving(self, reply: Reply) -> AbstractContextManager[None]:
        return nullcontext() if self._spans is None else self._spans.receiving(self._topics.replies, reply.headers)

    def _on_reply(self, reply: Reply) -> None:
        self._pending.deliver(first(reply.headers, self._names.correlation_id), reply)


def _not_sent() -> bool:
    return False


async def _leave(waiting: Waiting, caller_gone: Callable[[], Awaitable[None]]) -> None:
    await caller_gone()
    if not waiting.reply.done():
        waiting.reply.set_exception(CallerGone)


def _raise_error(reply: Reply) -> None:
    """Raise what the worker found wrong with the request, if anything."""
    code = first(reply.headers, ERROR_CODE)
    if code is None:
        return
    detail = (first(reply.headers, ERROR_DETAIL) or b"").decode(errors="replace")
    error_type = RECORD_ERRORS_BY_CODE.get(code.decode(errors="replace"))
    if error_type is None:
        raise InternalError("the worker answered with an error that this gateway does not know")
    raise error_type(detail)
