"""Counts and times every HTTP request, and logs it where that is wanted: by its route, never by what it asks."""

import logging
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.metrics import Metrics

UNMATCHED = "unmatched"
"""The route label of a path that we do not have: the paths themselves would be labels without number."""

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


_log = logging.getLogger("gateway.access")


class MeasuringMiddleware:
    """Plain ASGI: Starlette's `BaseHTTPMiddleware` costs two tasks a request and hides a caller's leaving."""

    def __init__(self, app: ASGIApp, metrics: Metrics, is_logging: bool = False) -> None:
        self._app = app
        self._metrics = metrics
        self._is_logging = is_logging

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
            took_s = time.perf_counter() - started
            self._metrics.requests.labels(*labels).inc()
            self._metrics.latency.labels(*labels).observe(took_s)
            if self._is_logging:
                self._write(scope, labels, took_s)

    @staticmethod
    def _write(scope: Scope, labels: tuple[str, str, str], took_s: float) -> None:
        route, method, status = labels
        fields: dict[str, object] = {
            "method": method,
            "route": route,
            "status": int(status),
            "duration_s": round(took_s, 6),
        }
        # Whose key was shown, where keys are asked for.
        caller = scope.get("state", {}).get("caller")
        if caller is not None:
            fields["caller"] = caller
        _log.info("%s %s %s in %.1f ms", method, route, status, 1_000 * took_s, extra=fields)


def _route(scope: Scope) -> str:
    """Return the template of the route that answered, or the mount: its files are many, too."""
    return str(getattr(scope.get("route"), "path", None) or scope.get("root_path") or UNMATCHED)
