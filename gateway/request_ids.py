"""Gives every request an id: the caller's `X-Request-ID`, or a new one; answers and log lines carry it."""

import re
import secrets

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from telemetry.logs import request_id

HEADER = "X-Request-ID"

_USABLE = re.compile(r"[A-Za-z0-9._~:/+=@-]{1,128}")
"""Anything else could forge log lines, or fill them."""


class RequestIdMiddleware:
    """Binds the id for as long as the request is being answered."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and name it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        shown = Headers(scope=scope).get(HEADER, "")
        name = shown if _USABLE.fullmatch(shown) else secrets.token_hex(16)

        async def send_named(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = name
            await send(message)

        token = request_id.set(name)
        try:
            await self._app(scope, receive, send_named)
        finally:
            request_id.reset(token)
