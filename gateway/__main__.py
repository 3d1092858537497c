"""Run the gateway: `python -m gateway`."""

import logging
import signal
import sys
from contextlib import suppress

import uvicorn
from prometheus_client import disable_created_metrics
from pydantic import ValidationError

from gateway.app import create_app
from gateway.connection import connection_type
from gateway.keys import KeysError
from gateway.settings import Settings
from schemas import KafkaConnection, Limits, Topics
from schemas.headers import ReplyHeaderNames
from schemas.settings import explain
from telemetry.logs import configure_logging
from telemetry.tracing import TracingSettings, start_tracing


def main() -> int:
    """Serve until SIGTERM or SIGINT; returns non-zero when a setting is wrong or the cluster refuses us.

    Exits non-zero when the port is taken.
    """
    try:
        settings, connection, topics, limits = Settings(), KafkaConnection(), Topics(), Limits()
        spans = start_tracing(TracingSettings(), "nlp-gateway")
    except ValidationError as invalid:
        print(f"gateway: {explain(invalid)}", file=sys.stderr)
        return 2
    configure_logging(settings.log_level, settings.log_format)
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

    try:
        app = create_app(settings, connection, topics, limits, ReplyHeaderNames(), on_refused=end, spans=spans)
    except KeysError as wrong:
        print(f"gateway: the API keys are wrong: {wrong.detail}", file=sys.stderr)
        return 2
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=connection_type(settings),
        ws="none",
        log_config=None,
        # Ours says less of the caller and more of the answer.
        access_log=False,
        server_header=False,
        # Nothing here asks for the caller's address, so nobody has to be believed about it.
        proxy_headers=False,
        timeout_keep_alive=settings.keep_alive_s,
        timeout_graceful_shutdown=settings.shutdown_s,
    )
    server = uvicorn.Server(config)
    try:
        with suppress(KeyboardInterrupt):
            server.run()
    finally:
        if spans is not None:
            spans.shut_down()
    return 1 if refused or not server.started else 0


if __name__ == "__main__":
    sys.exit(main())
