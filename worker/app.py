"""The composition root: settings to a running worker, and its orderly end."""

import asyncio
import logging
import os
import signal
from collections.abc import Iterable
from contextlib import AsyncExitStack, suppress
from functools import partial
from pathlib import Path
from threading import Timer
from time import monotonic
from typing import cast

import faust
from aiokafka import AIOKafkaProducer
from aiokafka.errors import GroupAuthorizationFailedError, KafkaError, TopicAuthorizationFailedError

from schemas import KafkaConnection
from schemas.access import check_access
from schemas.acls import worker_acls
from schemas.errors import AccessDenied, BrokerUnavailable
from schemas.provision import missing_topics
from schemas.topics import OUTPUT_BYTES
from telemetry.tracing import start_tracing
from worker.addresses import Addresses
from worker.agents import Intake
from worker.bundle import Bundle
from worker.consumer import Consumer, WorkerApp
from worker.delivery import Delivery, InFlight
from worker.encoder import Encoder
from worker.health import Health
from worker.http import serve_http
from worker.metrics import Metrics
from worker.outputs import Outputs
from worker.pipeline import Pipeline
from worker.processor import saturates_here
from worker.progress import Progress
from worker.registry import Registry
from worker.settings import Settings
from worker.tasks import build_tasks
from worker.tokenizer import Tokenizer
from worker.tracing import Tracing

log = logging.getLogger("worker")

BROKER_PING_S = 5.0
BROKER_ANSWER_S = 5.0
"""How long one look at the topics waits for a broker: for as long, nothing else is said of it and no signal heard."""
HEARTBEAT_S = 1.0
"""A member learns of a rebalance by its next heartbeat, and all the others wait for it until then."""
REQUEST_TIMEOUT_S = 60.0
"""How long the consumer waits for an answer of the broker, on top of the session time-out."""
STOP_MARGIN_S = 10.0
"""On top of the drain: leaving the group. Some seconds after that the process ends in any case."""

PRODUCER_STOP_S = 5.0

_DENIALS = (TopicAuthorizationFailedError, GroupAuthorizationFailedError)


class Worker:
    """One worker process: everything it is made of, from start to stop."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._metrics = Metrics()
        self._progress = Progress()
        self._stop = asyncio.Event()
        self._fault: BaseException | None = None
        self._in_flight = InFlight(settings.max_in_flight_records, settings.max_in_flight_bytes, self._metrics)
        self._tracing: Tracing | None = None
        self._health = Health(self._progress, self._in_flight, self._metrics, settings.stall_s, self._fail)

    async def run(self) -> None:
        """Work until SIGTERM or SIGINT, then drain; raises what ended the worker against its will."""
        settings = self._settings
        loop = asyncio.get_running_loop()
        for signal_number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(signal_number, self._stop.set)
        async with AsyncExitStack() as stack:
            http = serve_http(settings.http_host, settings.http_port, self._metrics.registry, self._problems)
            port = await stack.enter_async_context(http)
            log.info("metrics and health on http://%s:%s", settings.http_host, port)
            self._start_tracing(stack)
            bundle = await self._find_bundle()
            if bundle is None:
                return
            pipeline = self._build_pipeline(bundle)
            if not await self._wait_for_topics():
                return
            await self._work(stack, bundle, pipeline)
        if self._fault is not None:
            await self._check_rights(self._fault)
            raise self._fault

    async def _check_rights(self, fault: BaseException) -> None:
        """Raise `AccessDenied`, naming what is missing, for a fault that comes of a right that was taken away."""
        if isinstance(fault, _DENIALS) or isinstance(fault.__cause__, _DENIALS):
            settings = self._settings
            await check_access(settings.kafka, worker_acls(settings.topics, settings.group))
            raise AccessDenied(f"{settings.kafka.principal}: {fault}, though the right is there again") from fault

    def _problems(self) -> list[str]:
        return self._health.problems

    def _fail(self, fault: BaseException) -> None:
        if self._fault is None:
            log.error("stopping: %s", fault)
            self._fault = fault
        self._stop.set()

    def _start_tracing(self, stack: AsyncExitStack) -> None:
        spans = start_tracing(self._settings.tracing, "nlp-worker")
        if spans is not None:
            self._tracing = Tracing(spans, self._settings.group)
            stack.callback(spans.shut_down)

    def _build_pipeline(self, bundle: Bundle) -> Pipeline:
        manifest = bundle.manifest
        self._metrics.model.labels(bundle.identity).set(1)
        log.info("model %s", bundle.identity)
        if saturates_here():
            log.info("this processor has no VNNI instructions: inference is right, and several times slower")
        return Pipeline(
            Tokenizer(bundle.tokenizer, manifest.window, manifest.token_types),
            Encoder(bundle.model, manifest.outputs),
            build_tasks(manifest),
            self._settings.limits,
            self._metrics,
            self._settings.max_batch_tokens,
            self._tracing,
        )

    async def _find_bundle(self) -> Bundle | None:
        """Return the bundle; None when told to stop before a registry gave it."""
        settings = self._settings
        cache = Path(os.path.expanduser(settings.bundle_cache))  # Path's own fails where a user has no home
        registry = Registry(settings.mlflow_tracking_uri, cache, settings.bundle_wait_s)
        finding = asyncio.ensure_future(registry.find_bundle(settings.bundle))
        stopping = asyncio.ensure_future(self._stop.wait())
        await asyncio.wait((finding, stopping), return_when=asyncio.FIRST_COMPLETED)
        for waiting in (finding, stopping):
            waiting.cancel()
        await asyncio.wait((finding, stopping))  # what was fetching has ended its process
        return None if finding.cancelled() else finding.result()

    async def _wait_for_topics(self) -> bool:
        """Return whether all topics are there; False when told to stop meanwhile.

        A worker that subscribes to a missing topic joins with nothing assigned and stays idle for ever. Raises
        `AccessDenied` when the cluster refuses us, which waiting does not mend.
        """
        deadline = monotonic() + self._settings.topics_wait_s
        while not self._stop.is_set():
            problem = await self._topics_problem()
            if problem is None:
                return True
            if monotonic() > deadline:
                raise BrokerUnavailable(f"{problem}, waited {self._settings.topics_wait_s:.0f} s")
            self._health.problems = [problem]
            log.info("waiting: %s", problem)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), 1.0)
        return False

    async def _topics_problem(self) -> str | None:
        try:
            acls = worker_acls(self._settings.topics, self._settings.group)
            missing = await missing_topics(self._settings.kafka, self._settings.topics, acls, wait_s=BROKER_ANSWER_S)
        except (BrokerUnavailable, KafkaError, OSError) as fault:
            return f"no broker at {self._settings.kafka.bootstrap_servers} ({fault})"
        return f"missing topics: {', '.join(missing)}" if missing else None

    async def _work(self, stack: AsyncExitStack, bundle: Bundle, pipeline: Pipeline) -> None:
        settings = self._settings
        producer = build_producer(settings.kafka)
        await producer.start()
        stack.push_async_callback(self._stop_producer, producer)
        outputs = Outputs(settings.topics, settings.reply_headers, bundle.identity)
        delivery = Delivery(
            producer, Addresses(partial(list_partitions, producer)), outputs, self._in_flight, self._metrics, self._fail
        )
        pipeline.start(settings.engine_threads, delivery.deliver, self._fail)
        stack.callback(pipeline.stop)
        app = build_app(settings, self._progress)
        intake = Intake(pipeline, delivery, self._in_flight, self._progress, self._metrics, self._tracing)
        intake.add_agents(app, settings.topics)
        self._connect(app, delivery)
        await app.start()
        tasks = [
            asyncio.create_task(coroutine)
            for coroutine in (
                delivery.run(),
                self._health.watch(cast(Consumer, app.consumer)),
                self._health.measure_loop_lag(),
                self._ping_broker(producer),
                self._follow(app),
            )
        ]
        for task in tasks:
            task.add_done_callback(self._task_ended)
        await self._stop.wait()
        await self._end(app, tasks)

    def _task_ended(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (fault := task.exception()) is not None:
            self._fail(fault)

    async def _stop_producer(self, producer: AIOKafkaProducer) -> None:
        """Close the producer; without a broker it would wait for its last records for ever."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PRODUCER_STOP_S):
                await producer.stop()

    async def _end(self, app: faust.App, tasks: Iterable["asyncio.Task[None]"]) -> None:
        self._health.is_draining = True
        self._health.problems = ["draining"]
        log.info("draining %d records", self._in_flight.records)
        # Threads of the clients may wait for a broker that is gone, and Python waits for threads.
        last_resort = Timer(self._settings.drain_s + STOP_MARGIN_S + 2 * PRODUCER_STOP_S, os._exit, (1,))
        last_resort.daemon = True
        last_resort.start()
        async with asyncio.timeout(self._settings.drain_s + STOP_MARGIN_S):
            await app.stop()
        for task in tasks:
            task.cancel()
        log.info("stopped with %d records unfinished", self._in_flight.records)

    def _connect(self, app: faust.App, delivery: Delivery) -> None:
        """Finish what was taken before partitions move, and before the group is left."""

        async def on_revoked(*_: object, **__: object) -> None:
            await self._settle(app, self._settings.rebalance_drain_s)
            given_up = self._progress.abandon_all()
            delivery.abandon_all()
            if given_up:
                log.warning("partitions moved with %d records unfinished; they will be done again", given_up)
                self._metrics.abandoned.inc(given_up)

        async def on_before_shutdown(*_: object, **__: object) -> None:
            await self._settle(app, 0 if self._fault else self._settings.drain_s)

        app.on_partitions_revoked.connect(on_revoked, weak=False)
        app.on_before_shutdown.connect(on_before_shutdown, weak=False)

    async def _settle(self, app: faust.App, timeout_s: float) -> None:
        await self._in_flight.empty(timeout_s)
        await app.consumer.commit()

    async def _ping_broker(self, producer: AIOKafkaProducer) -> None:
        """Note every few seconds whether a broker answers, also when there is nothing to do."""
        while True:
            if await producer.client.force_metadata_update():
                self._health.broker_seen_at = monotonic()
            await asyncio.sleep(BROKER_PING_S)

    async def _follow(self, app: faust.App) -> None:
        """Fail when the app stops by itself."""
        await app.wait_until_stopped()
        if app.crash_reason is not None:
            self._fail(app.crash_reason)


def build_producer(kafka: KafkaConnection) -> AIOKafkaProducer:
    """Return the producer of all outputs: idempotent, so that a retry neither doubles nor reorders."""
    return AIOKafkaProducer(
        **kafka.client_options(),
        enable_idempotence=True,
        acks="all",
        max_request_size=OUTPUT_BYTES,
        # What it cannot send for this long it gives up, and with it the worker: longer than a broker's restart.
        request_timeout_ms=60_000,
    )


async def list_partitions(producer: AIOKafkaProducer) -> dict[str, set[int]]:
    """Return the partitions of every topic of the cluster; raises `KafkaError` when no broker answers."""
    found = await producer.client.fetch_all_metadata()
    return {topic: found.partitions_for_topic(topic) or set() for topic in found.topics()}


def build_app(settings: Settings, progress: Progress) -> WorkerApp:
    """Return the Faust app: its group and connection; no tables, no web server, no topics of its own."""
    return WorkerApp(
        settings.group,
        progress=progress,
        broker=[f"kafka://{server}" for server in settings.kafka.servers],
        broker_credentials=credentials(settings.kafka),
        broker_client_id="nlp-worker",
        broker_commit_interval=settings.commit_interval_s,
        broker_session_timeout=settings.session_timeout_s,
        broker_heartbeat_interval=HEARTBEAT_S,
        # Faust refuses a session that is longer than a request may take.
        broker_request_timeout=settings.session_timeout_s + REQUEST_TIMEOUT_S,
        broker_max_poll_interval=300.0,
        consumer_group_instance_id=settings.instance,
        consumer_auto_offset_reset="earliest",
        # A topic that is created while we run must not need a restart to be seen.
        consumer_metadata_max_age_ms=30_000,
        topic_allow_declare=False,
        topic_disable_leader=True,
        # The app's id is the group's id only in version 1; another version would read everything again.
        version=1,
        # Records buffered for each topic, beyond those in flight: enough for one loop turn, little memory.
        stream_buffer_maxsize=64,
        stream_wait_empty=False,
        store="memory://",
        web_enabled=False,
        autodiscover=False,
        cython_optimizations=True,
        worker_redirect_stdouts=False,
    )


def credentials(kafka: KafkaConnection) -> faust.auth.Credentials | None:
    """Return the connection's credentials as Faust wants them; without the TLS context it would not encrypt."""
    context = kafka.ssl_context()
    if kafka.uses_sasl:
        return faust.SASLCredentials(
            username=kafka.sasl_username,
            password=kafka.sasl_password.get_secret_value(),
            ssl_context=context,
            mechanism=kafka.sasl_mechanism,
        )
    return None if context is None else faust.SSLCredentials(context)
