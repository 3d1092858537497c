"""Metrics and health of one worker over HTTP, on a port of its own."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from schemas.errors import ServiceError


class PortError(ServiceError):
    """The port is taken or may not be used."""

    code = "port_unavailable"


@asynccontextmanager
async def serve_http(
    host: str, port: int, registry: CollectorRegistry, problems: Callable[[], list[str]]
) -> AsyncIterator[int]:
    """Serve `/metrics`, `/health/live` and `/health/ready` while the context lasts; yields the port.

    Live means that the event loop answers. Ready means that `problems` is empty. Raises `PortError`.
    """

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def live(_: web.Request) -> web.Response:
        return web.json_response({"status": "live"})

    async def ready(_: web.Request) -> web.Response:
        found = problems()
        status = {"status": "unready" if found else "ready", "problems": found}
        return web.json_response(status, status=503 if found else 200)

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    app.router.add_get("/health/live", live)
    app.router.add_get("/health/ready", ready)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        try:
            await site.start()
        except OSError as taken:
            raise PortError(f"cannot listen on {host}:{port} ({taken.strerror}); set NLP_WORKER_HTTP_PORT") from taken
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
