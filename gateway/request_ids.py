"""Gives every request an id: the caller's `X-Request-ID`, or a new one; answers and log lines carry it."""

import re
import secrets

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from telemetry.logs import request_id

HEADER = "X-Request-ID"

_RAW_HEADER = HEADER.lower().encode()

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
        shown = next((value for name, value in scope["headers"] if name == _RAW_HEADER), b"").decode("latin-1")
        name = shown if _USABLE.fullmatch(shown) else secrets.token_hex(16)

        async def send_named(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], (_RAW_HEADER, name.encode())]}
            await send(message)

        token = request_id.set(name)
        try:
            await self._app(scope, receive, send_named)
        finally:
            request_id.reset(token)
