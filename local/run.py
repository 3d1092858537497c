"""`make run`: broker, topics, workers and gateway, until Ctrl-C.

The stages stand on each other, so they end in the opposite order: the gateway stops asking, the workers finish and
commit, the broker goes last.
"""

import asyncio
import logging
import math
import os
import signal
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from types import FrameType

from pydantic import ValidationError

from local.broker import Broker
from local.console import Console
from local.download import provide_jars
from local.errors import LocalError
from local.ports import check_free
from local.settings import GatewayAddress, Settings, WorkerAddress
from local.supervisor import Service, Supervised, keep_all, start_all, stop_all
from schemas import KafkaConnection, NlpError, Topics
from schemas.provision import TopicRefused, create_topics

_BANNER = """
Ready after {seconds:.1f} s, with {workers} on Kafka at {kafka}.

  {gateway}            try it in a browser
  {gateway}/docs       every route, with examples
  {gateway}/metrics    and {worker}/metrics
  {where}

Ask something:

  curl -s {gateway}/predict/ner -H 'Content-Type: application/json' \\
    -d '{{"text": "Apple Inc. is planning to open a new office in London."}}'

`make demo` in another terminal streams texts through it. Ctrl-C stops everything.
"""


def services(settings: Settings, environment: Mapping[str, str]) -> tuple[list[Service], Service]:
    """Return the workers and the gateway that the settings ask for, started with this environment."""
    worker, gateway = WorkerAddress(), GatewayAddress()
    cores_each = max(1, len(os.sched_getaffinity(0)) // settings.workers)
    workers = []
    for number in range(settings.workers):
        address = worker.model_copy(update={"http_port": worker.http_port + number})
        own = {
            "NLP_WORKER_HTTP_PORT": str(address.http_port),
            # The same id after a restart: the worker takes its partitions again at once.
            "NLP_WORKER_INSTANCE": f"{socket.gethostname()}-{number}",
        }
        # Workers on one machine share its cores; each would take all of them.
        shared = {"NLP_WORKER_ENGINE_THREADS": str(cores_each), **environment, **own}
        workers.append(_service(f"worker-{number + 1}", "worker", shared, f"{address.url}/health/ready", settings))
    return workers, _service("gateway", "gateway", environment, f"{gateway.url}/health/ready", settings)


def _service(name: str, module: str, environment: Mapping[str, str], url: str, settings: Settings) -> Service:
    unbuffered = {**environment, "PYTHONUNBUFFERED": "1"}
    return Service(name, (sys.executable, "-m", module), unbuffered, url, settings.restarts, settings.stop_s)


class LocalRun:
    """One run of the whole system in the foreground."""

    def __init__(self, settings: Settings, console: Console) -> None:
        self._settings = settings
        self._console = console
        self._broker: Broker | None = None

    def run(self) -> None:
        """Run until interrupted; raises a `LocalError` or `NlpError` when it cannot. Leaves nothing running."""
        started_at = time.monotonic()
        self._check_ports()
        with ExitStack() as stack:
            connection = KafkaConnection()
            if "bootstrap_servers" not in connection.model_fields_set:
                connection = self._start_broker(stack)
            self._create_topics(connection)
            workers, gateway = self._supervise(connection)
            everything = [*workers, gateway]
            stack.callback(self._stop, workers)
            stack.callback(self._stop, [gateway])
            stack.callback(self._console.say, "stopping")
            start_all(everything, self._settings.ready_s, self._check_broker)
            self._print_banner(connection, time.monotonic() - started_at)
            while True:
                keep_all(everything, self._check_broker)

    def _check_ports(self) -> None:
        gateway, worker = GatewayAddress(), WorkerAddress()
        check_free(gateway.host, gateway.port, "the gateway", "Stop what listens there, or set NLP_GATEWAY_PORT.")
        for number in range(self._settings.workers):
            remedy = "Stop what listens there, or set NLP_WORKER_HTTP_PORT."
            check_free(worker.http_host, worker.http_port + number, f"worker-{number + 1}", remedy)

    def _start_broker(self, stack: ExitStack) -> KafkaConnection:
        settings = self._settings
        broker = Broker(settings.data, settings.jars, settings.broker_port)
        broker.check()
        provide_jars(settings.jars, self._console)
        self._console.say(f"starting Kafka on {broker.bootstrap_servers}, data in {settings.data}")
        broker.start()
        self._broker = broker
        stack.callback(self._stop_broker, broker)
        return KafkaConnection(bootstrap_servers=broker.bootstrap_servers, security_protocol="PLAINTEXT")

    def _stop_broker(self, broker: Broker) -> None:
        if broker.is_alive:
            broker.stop()
            self._console.say("Kafka stopped")

    def _create_topics(self, connection: KafkaConnection) -> None:
        if self._broker is None:
            self._console.say(f"looking for Kafka at {connection.bootstrap_servers}")
        created = asyncio.run(create_topics(connection, Topics()))
        self._console.say(f"created {len(created)} topics" if created else "every topic is there")

    def _supervise(self, connection: KafkaConnection) -> tuple[list[Supervised], Supervised]:
        environment = dict(os.environ)
        if self._broker is not None:
            environment["KAFKA_BOOTSTRAP_SERVERS"] = connection.bootstrap_servers
            environment["KAFKA_SECURITY_PROTOCOL"] = connection.security_protocol
        workers, gateway = services(self._settings, environment)
        self._console.say(f"starting {', '.join(service.name for service in (*workers, gateway))}")
        return [Supervised(worker, self._console) for worker in workers], Supervised(gateway, self._console)

    def _stop(self, stage: Sequence[Supervised]) -> None:
        is_dead = self._broker is not None and not self._broker.is_alive
        # Without the broker nothing can be finished or committed, only complained of.
        stop_all(stage, at_most_s=0.0 if is_dead else math.inf)

    def _check_broker(self) -> None:
        if self._broker is not None and not self._broker.is_alive:
            raise self._broker.why_it_died()

    def _print_banner(self, connection: KafkaConnection, seconds: float) -> None:
        count, broker = self._settings.workers, self._broker
        where = f"{broker.log.parent}    Kafka's records and broker.log" if broker is not None else ""
        banner = _BANNER.format(
            seconds=seconds,
            workers="one worker" if count == 1 else f"{count} workers",
            kafka=connection.bootstrap_servers,
            gateway=GatewayAddress().url,
            worker=WorkerAddress().url,
            where=where,
        )
        self._console.plain(banner)


def _interrupt(signal_number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main() -> int:
    """Return the exit status: 0 after Ctrl-C or SIGTERM, 1 when it could not start or go on, 2 for a setting."""
    # SIGINT too: a shell that starts us in the background has it ignored.
    for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, _interrupt)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    console = Console()
    try:
        LocalRun(Settings(), console).run()
    except KeyboardInterrupt:
        return 0
    except ValidationError as invalid:
        for error in invalid.errors(include_url=False, include_input=False):
            where = ".".join(map(str, error["loc"]))
            console.say(f"a setting is wrong: {where or invalid.title}: {error['msg']}")
        return 2
    except (LocalError, NlpError, TopicRefused) as failed:
        console.say(str(failed))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
