"""The headers that keep browsers from doing more with an answer than they should, on every answer."""

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
        headers = security_headers(hsts_s)
        self._headers = _raw(headers)
        # Files may be kept, and are asked for anew each time.
        self._file_headers = _raw(headers | {"Cache-Control": "no-cache"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and secure its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = message["headers"]
                there = {name for name, _ in headers}
                ours = self._file_headers if b"etag" in there else self._headers
                message = {**message, "headers": [*headers, *(header for header in ours if header[0] not in there)]}
            await send(message)

        await self._app(scope, receive, send_secured)


def _raw(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    """Return the headers as ASGI has them, for Starlette's own class looks through all of them for each."""
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]
