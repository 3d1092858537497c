"""The headers that keep browsers from doing more with an answer than they should, on every answer."""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_STRICT_POLICY = "default-src 'none'; frame-ancestors 'none'"
"""For answers that are no pages; a page says itself what it loads."""


def security_headers(hsts_s: int) -> dict[str, str]:
    """Return the headers of every answer; `hsts_s` is how long, in seconds, browsers insist on HTTPS, 0 for not."""
    headers = {
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Content-Security-Policy": _STRICT_POLICY,
        # Answers hold the caller's text, and no cache on the way may keep that.
        "Cache-Control": "no-store",
    }
    if hsts_s:
        headers["Strict-Transport-Security"] = f"max-age={hsts_s}"
    return headers


class SecurityHeadersMiddleware:
    """Adds the headers where an answer has none of that name."""

    def __init__(self, app: ASGIApp, hsts_s: int) -> None:
        self._app = app
        self._headers = security_headers(hsts_s)
        # Files may be kept, and are asked for anew each time.
        self._file_headers = self._headers | {"Cache-Control": "no-cache"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and secure its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in (self._file_headers if "etag" in headers else self._headers).items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_secured)
