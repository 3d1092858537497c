"""Run the gateway: `python -m gateway`."""

import logging
import signal
import sys
from contextlib import suppress

import uvicorn
from prometheus_client import disable_created_metrics
from pydantic import ValidationError

from gateway.app import create_app
from gateway.settings import Settings
from schemas import KafkaConnection, Limits, Topics
from schemas.headers import ReplyHeaderNames
from schemas.settings import explain


def main() -> int:
    """Serve until SIGTERM or SIGINT; returns non-zero when a setting is wrong or the cluster refuses us.

    Exits non-zero when the port is taken.
    """
    try:
        settings, connection, topics, limits = Settings(), KafkaConnection(), Topics(), Limits()
    except ValidationError as invalid:
        print(f"gateway: {explain(invalid)}", file=sys.stderr)
        return 2
    logging.basicConfig(level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # aiokafka says at every attempt that a broker is away; the link says it once.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    # uvicorn finishes open requests, then raises the signal once more: asked to end is no failure.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    disable_created_metrics()  # type: ignore[no-untyped-call]
    refused = False

    def end() -> None:
        nonlocal refused
        refused = True
        server.should_exit = True

    app = create_app(settings, connection, topics, limits, ReplyHeaderNames(), on_refused=end)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=settings.access_log,
        server_header=False,
        timeout_keep_alive=settings.keep_alive_s,
        timeout_graceful_shutdown=settings.shutdown_s,
    )
    server = uvicorn.Server(config)
    with suppress(KeyboardInterrupt):
        server.run()
    return 1 if refused or not server.started else 0


if __name__ == "__main__":
    sys.exit(main())
