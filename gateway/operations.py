"""Health and metrics, for those who run the gateway."""

from collections.abc import Callable

from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from gateway.exchange import Link
from gateway.metrics import Metrics


def add_operation_routes(app: FastAPI, link: Link, metrics: Metrics, is_alive: Callable[[], bool]) -> None:
    """Add `/health/live`, `/health/ready` and `/metrics`."""

    @app.get("/health/live", tags=["operations"], summary="Is the process worth keeping")
    async def live() -> Response:
        """503 only when a restart would help: a missing broker is not such a case."""
        if is_alive():
            return JSONResponse({"status": "alive"})
        return JSONResponse({"status": "dead", "reasons": ["the connection to Kafka ended by a bug"]}, 503)

    @app.get("/health/ready", tags=["operations"], summary="Can requests be answered")
    async def ready() -> Response:
        """503 with reasons until requests can be sent and the reply partition is being read."""
        if link.unready_reason is None and is_alive():
            return JSONResponse({"status": "ready", "reply_partition": link.reply_partition})
        return JSONResponse({"status": "unready", "reasons": [link.unready_reason or "shutting down"]}, 503)

    @app.get("/metrics", tags=["operations"], summary="Prometheus metrics", response_class=Response)
    async def expose() -> Response:
        """Return all metrics in Prometheus' text format."""
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)
