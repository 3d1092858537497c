"""Run the gateway: `python -m gateway`."""

import logging
import signal
import sys

import uvicorn
from prometheus_client import disable_created_metrics

from gateway.app import create_app
from gateway.settings import Settings
from schemas import KafkaConnection, Limits, Topics
from schemas.headers import ReplyHeaderNames


def main() -> None:
    """Serve until SIGTERM or SIGINT; exits non-zero when the port is taken or a setting is wrong."""
    settings = Settings()
    logging.basicConfig(level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # aiokafka says at every attempt that a broker is away; the link says it once.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    # uvicorn finishes open requests, then raises the signal once more: asked to end is no failure.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    disable_created_metrics()  # type: ignore[no-untyped-call]
    app = create_app(settings, KafkaConnection(), Topics(), Limits(), ReplyHeaderNames())
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=settings.access_log,
        server_header=False,
        timeout_keep_alive=settings.keep_alive_s,
        timeout_graceful_shutdown=settings.shutdown_s,
    )


if __name__ == "__main__":
    main()
