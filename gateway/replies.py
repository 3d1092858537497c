"""Who waits for which reply: correlation id to future, bounded, and never leaking."""

import asyncio
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from gateway.metrics import Metrics
from schemas import NlpError
from schemas.errors import Overloaded
from schemas.headers import Headers

_PREFIX_BYTES = 8
_SUFFIX_BYTES = 8


@dataclass(frozen=True, slots=True)
class Reply:
    """One record of the reply topic."""

    value: bytes | None
    headers: Headers


@dataclass(frozen=True, slots=True)
class Waiting:
    """One caller's place among the pending replies."""

    correlation_id: bytes
    reply: asyncio.Future[Reply]

    def fail(self, error: NlpError) -> None:
        """Answer the caller with an error; too late once it has an answer."""
        if not self.reply.done():
            self.reply.set_exception(error)


class PendingReplies:
    """The callers of one gateway process.

    A correlation id is 64 random bits of the process and 64 of the request: what does not begin with ours was asked
    by another replica on the same partition, what does and is not here came after its caller had left.
    """

    def __init__(self, limit: int, metrics: Metrics) -> None:
        self._limit = limit
        self._metrics = metrics
        self._prefix = secrets.token_bytes(_PREFIX_BYTES)
        self._waiting: dict[bytes, Waiting] = {}
        metrics.pending.set_function(lambda: len(self._waiting))

    def __len__(self) -> int:
        return len(self._waiting)

    @contextmanager
    def expect(self) -> Iterator[Waiting]:
        """Hold a place for one reply until the block is left, however it is left; raises `Overloaded`."""
        if len(self._waiting) >= self._limit:
            raise Overloaded(f"{self._limit} requests are waiting, as many as are allowed", limit=self._limit)
        correlation_id = self._prefix + secrets.token_bytes(_SUFFIX_BYTES)
        waiting = Waiting(correlation_id, asyncio.get_running_loop().create_future())
        self._waiting[correlation_id] = waiting
        try:
            yield waiting
        finally:
            del self._waiting[correlation_id]
            if not waiting.reply.cancel() and not waiting.reply.cancelled():
                # Marks a failure as seen: it may come in the very moment in which the caller leaves.
                waiting.reply.exception()

    def deliver(self, correlation_id: bytes | None, reply: Reply) -> None:
        """Give a reply to the caller that waits for it; any other is counted and dropped."""
        waiting = self._waiting.get(correlation_id or b"")
        if waiting is not None and not waiting.reply.done():
            waiting.reply.set_result(reply)
            self._metrics.replies.labels("delivered").inc()
        elif (correlation_id or b"").startswith(self._prefix):
            self._metrics.replies.labels("late").inc()
        else:
            self._metrics.replies.labels("foreign").inc()
