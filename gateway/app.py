"""Composition root: settings in, a FastAPI app out."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import TYPE_CHECKING

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig

from gateway.access import Access
from gateway.errors import add_exception_handlers
from gateway.exchange import Exchange, Link
from gateway.link import KafkaLink
from gateway.metrics import Metrics
from gateway.middleware import add_middleware
from gateway.openapi import add_openapi_route
from gateway.operations import add_operation_routes
from gateway.pages import add_pages
from gateway.predict import add_predict_routes
from gateway.replies import PendingReplies
from gateway.settings import Settings
from schemas import KafkaConnection, Limits, ServiceError, Topics
from schemas.headers import ReplyHeaderNames

if TYPE_CHECKING:
    from telemetry.spans import Spans

_DESCRIPTION = (
    "Sentiment, named entities and answers for texts. Each request travels over Kafka to a worker and its reply comes "
    "back the same way; the same records, errors and limits hold on the topics. Positions count Unicode code points "
    "of the text as sent, end exclusive."
)
_log = logging.getLogger(__name__)


def create_app(
    settings: Settings,
    connection: KafkaConnection,
    topics: Topics,
    limits: Limits,
    names: ReplyHeaderNames,
    *,
    link_type: Callable[..., Link] = KafkaLink,
    on_refused: Callable[[], None] = lambda: None,
    spans: "Spans | None" = None,
) -> FastAPI:
    """Return the gateway; it serves at once, and answers predictions as soon as a broker answers.

    `on_refused` is called when the cluster refuses us for good; `spans` records traces, None where that is off.
    """
    metrics = Metrics()
    access = Access(settings, metrics)
    link = link_type(settings, connection, topics, limits, metrics)
    pending = PendingReplies(settings.max_pending, metrics)
    exchange = Exchange(link, pending, topics, names, metrics, spans)
    carrier = _Carrier(exchange, on_refused)
    app = FastAPI(
        title="Streaming NLP",
        version="1",
        description=_DESCRIPTION,
        lifespan=carrier.lifespan,
        openapi_url=None,
        # A redirect would name the host that the caller's own header says.
        redirect_slashes=False,
        telemetry=_telemetry(spans),
    )
    add_middleware(app, settings, metrics)
    add_exception_handlers(app)
    add_predict_routes(app, exchange, limits, metrics, access, settings.timeout_s)
    add_operation_routes(app, link, metrics, access, settings, carrier.is_alive)
    add_pages(app)
    add_openapi_route(app, limits)
    return app


def _telemetry(spans: "Spans | None") -> TelemetryConfig:
    """Return what FastAPI may tell: a span a prediction where traces are recorded, else nothing.

    It then leaves the caller's trace context alone, which goes through as it is.
    """
    told: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
    if spans is not None:
        told |= {"tracing": True, "tracer_provider": spans.provider, "operation_spans": False}
        # Probes and scrapes would be most of the traces, and tell nothing.
        told["exclude"] = lambda scope: not scope.get("path", "").startswith("/predict/")
    return told


class _Carrier:
    """Runs the exchange for as long as the app does."""

    def __init__(self, exchange: Exchange, on_refused: Callable[[], None]) -> None:
        self._exchange = exchange
        self._on_refused = on_refused
        self._task: asyncio.Task[None] | None = None

    def is_alive(self) -> bool:
        """Whether replies are still being carried, or a broken connection mended."""
        return self._task is not None and not self._task.done()

    def lifespan(self, _: FastAPI) -> AbstractAsyncContextManager[None]:
        """Return the app's lifespan."""
        return self._run()

    @asynccontextmanager
    async def _run(self) -> AsyncIterator[None]:
        self._task = asyncio.create_task(self._exchange.run())
        self._task.add_done_callback(self._ended)
        try:
            yield
        finally:
            self._task.cancel()
            # What it failed of was said when it ended.
            with suppress(asyncio.CancelledError, ServiceError):
                await self._task

    def _ended(self, task: "asyncio.Task[None]") -> None:
        fault = None if task.cancelled() else task.exception()
        if isinstance(fault, ServiceError):
            _log.critical("%s: %s", fault.code, fault.detail)
            self._on_refused()
        elif fault is not None:
            _log.critical("This is a bug: the connection to Kafka ended", exc_info=fault)
