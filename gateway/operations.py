"""Health and metrics, for those who run the gateway."""

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, ConfigDict, Field

from gateway.access import Access
from gateway.exchange import Link
from gateway.metrics import Metrics
from gateway.settings import Settings

_TAGS: list[Any] = ["operations"]


class Health(BaseModel):
    """How the gateway is, and why not better."""

    model_config = ConfigDict(frozen=True, json_schema_serialization_defaults_required=False)

    status: str = Field(description="`alive` or `dead`, `ready` or `unready`.")
    reply_partition: int | None = Field(default=None, description="The partition whose replies it reads.")
    reasons: list[str] | None = Field(default=None, description="What is wrong.")


def add_operation_routes(
    app: FastAPI, link: Link, metrics: Metrics, access: Access, settings: Settings, is_alive: Callable[[], bool]
) -> None:
    """Add `/health/live`, `/health/ready` and `/metrics`."""
    _add_health_routes(app, link, access, settings.health_needs_key, is_alive)
    guard = access.guard(settings.metrics_needs_key)

    @app.get(
        "/metrics",
        tags=_TAGS,
        summary="Prometheus metrics",
        response_class=PlainTextResponse,
        dependencies=guard.dependencies,
        responses=guard.responses,
    )
    async def expose() -> Response:
        """Return all metrics in Prometheus' text format."""
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)


def _add_health_routes(app: FastAPI, link: Link, access: Access, needs_key: bool, is_alive: Callable[[], bool]) -> None:
    guard = access.guard(needs_key)
    options: dict[str, Any] = {
        "tags": _TAGS,
        "response_model": Health,
        "dependencies": guard.dependencies,
        "responses": {503: {"model": Health, "description": "No; `reasons` say why"}, **guard.responses},
    }

    @app.get("/health/live", summary="Is the process worth keeping", **options)
    async def live() -> Response:
        """503 only when a restart would help: a missing broker is not such a case."""
        if is_alive():
            return _told(Health(status="alive"))
        return _told(Health(status="dead", reasons=["the connection to Kafka ended by a bug"]), 503)

    @app.get("/health/ready", summary="Can requests be answered", **options)
    async def ready() -> Response:
        """503 with reasons until requests can be sent and the reply partition is being read."""
        if link.unready_reason is None and is_alive():
            return _told(Health(status="ready", reply_partition=link.reply_partition))
        return _told(Health(status="unready", reasons=[link.unready_reason or "shutting down"]), 503)


def _told(health: Health, status: int = 200) -> Response:
    return JSONResponse(health.model_dump(exclude_none=True), status)
