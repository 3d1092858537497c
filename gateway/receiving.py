"""Bounds the time in which a request's body may arrive: without, a caller that drips bytes keeps a place for ever."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.errors import RequestTimeout


class DeadlineMiddleware:
    """Raises `RequestTimeout` in whoever reads a body that takes longer than `receive_s` seconds."""

    def __init__(self, app: ASGIApp, receive_s: float) -> None:
        self._app = app
        self._receive_s = receive_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, with the deadline on what is read of it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        deadline = asyncio.get_running_loop().time() + self._receive_s
        has_arrived = False

        async def receive_in_time() -> Message:
            nonlocal has_arrived
            # Afterwards all that can come is the caller's leaving, and for that there is no deadline.
            if has_arrived:
                return await receive()
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError:
                raise RequestTimeout(f"the body did not arrive within {self._receive_s:g} s") from None
            has_arrived = not message.get("more_body", False)
            return message

        await self._app(scope, receive_in_time, send)
