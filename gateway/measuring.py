"""Counts and times every HTTP request, outside of everything else the app does."""

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.metrics import Metrics

UNMATCHED = "unmatched"
"""The route label of a path that we do not have: the paths themselves would be labels without number."""

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class MeasuringMiddleware:
    """Plain ASGI: Starlette's `BaseHTTPMiddleware` costs two tasks a request and hides a caller's leaving."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and measure it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        # What stays if the app raises before it answers: the server then answers with a 500.
        status = 500

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        finally:
            method = scope["method"] if scope["method"] in _METHODS else "other"
            labels = (_route(scope), method, str(status))
            self._metrics.requests.labels(*labels).inc()
            self._metrics.latency.labels(*labels).observe(time.perf_counter() - started)


def _route(scope: Scope) -> str:
    """Return the template of the route that answered, or the mount: its files are many, too."""
    return str(getattr(scope.get("route"), "path", None) or scope.get("root_path") or UNMATCHED)
