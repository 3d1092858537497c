"""Traces of the real processes, as a collector gets them: from an HTTP call over Kafka to the worker and back."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from aiokafka import AIOKafkaConsumer
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from local.ports import free_port
from schemas import NER, SENTIMENT, KafkaConnection, Topics
from schemas.headers import ERROR_CODE, TRACEPARENT, TRACESTATE
from tests.integration.caller import Caller, Received, Sending, header
from tests.integration.collector import Collector, collecting
from tests.integration.gateways import until
from tests.integration.workers import NewWorker

pytestmark = pytest.mark.anyio

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
PARENT_ID = "b7ad6b7169203331"
TRACED = {TRACEPARENT: f"00-{TRACE_ID}-{PARENT_ID}-01", TRACESTATE: "vendor=1"}
OTHER_TRACE = b"00-11111111111111111111111111111111-2222222222222222-01"
TEXT = {"text": "Apple Inc. is planning to open a new office in London."}
STAGES = {"decode", "tokenise", "wait", "encode", "heads", "encoder run"}


async def test_one_trace_leads_from_the_http_call_over_kafka_to_the_worker_and_back(
    connection: KafkaConnection, fresh_topics: Topics, new_worker: NewWorker, caller: Caller
) -> None:
    with collecting() as collector:
        await _call_once(collector, connection, fresh_topics, new_worker, caller)
        (reply,) = await caller.outputs()
        request = await _first_of(connection, fresh_topics.ner_requests)

    requests, replies = fresh_topics.ner_requests, fresh_topics.replies
    server = collector.named("nlp-gateway", "POST /predict/ner")
    asked = collector.named("nlp-gateway", f"send {requests}")
    worked = collector.named("nlp-worker", f"process {requests}")
    answered = collector.named("nlp-worker", f"send {replies}")
    received = collector.named("nlp-gateway", f"receive {replies}")
    chain = [server, asked, worked, answered, received]
    assert {span.trace_id.hex() for span in chain} == {TRACE_ID}
    assert [span.parent_span_id.hex() for span in chain] == [PARENT_ID, *(span.span_id.hex() for span in chain[:-1])]
    stages = {span.name for _, span in collector.received if span.parent_span_id == worked.span_id}
    assert stages == {*STAGES, f"send {replies}"}
    assert _traceparents(request) == [_traceparent(asked)]
    assert _traceparents(reply) == [_traceparent(answered)]
    assert [header(record, TRACESTATE) for record in (request, reply)] == ["vendor=1", "vendor=1"]


async def test_a_dead_letter_carries_one_trace_context_and_its_span_the_code(
    fresh_topics: Topics, new_worker: NewWorker, caller: Caller
) -> None:
    twice = ((TRACEPARENT, OTHER_TRACE), (TRACEPARENT, b"another"))
    with collecting() as collector:
        worker = new_worker("worker", environment=_traced(collector.endpoint))
        worker.start()
        await worker.ready()
        await caller.send([Sending(SENTIMENT.requests(fresh_topics), b"not json", headers=twice)])
        await caller.settled()
        (dead_letter,) = await caller.outputs()
        worker.terminate()
        assert await worker.ended() == 0

    sent = collector.named("nlp-worker", f"send {fresh_topics.dead_letters}")
    worked = collector.named("nlp-worker", f"process {fresh_topics.sentiment_requests}")
    assert header(dead_letter, ERROR_CODE) == "malformed_record"
    assert _traceparents(dead_letter) == [_traceparent(sent)]
    assert sent.trace_id.hex() == worked.trace_id.hex() == OTHER_TRACE.decode().split("-")[1]
    assert (worked.status.code, worked.status.message) == (Status.STATUS_CODE_ERROR, "malformed_record")


async def test_a_collector_that_is_away_neither_stops_nor_keeps_a_worker(
    fresh_topics: Topics, new_worker: NewWorker, caller: Caller
) -> None:
    worker = new_worker("worker", environment=_traced(f"http://127.0.0.1:{free_port()}"))
    worker.start()
    await worker.ready()
    await caller.send([Sending(NER.requests(fresh_topics), b'{"text": "day %d"}' % number) for number in range(300)])
    await caller.settled()
    worker.terminate()

    assert await worker.ended() == 0
    assert len(await caller.outputs()) == 300


async def _call_once(
    collector: Collector, connection: KafkaConnection, topics: Topics, new_worker: NewWorker, caller: Caller
) -> None:
    """Ask once over HTTP, then let both processes end: what they had to send has come by then."""
    worker = new_worker("worker", environment=_traced(collector.endpoint))
    worker.start()
    with _gateway_process(connection, topics, _traced(collector.endpoint)) as (process, url):
        await worker.ready()
        async with httpx.AsyncClient(base_url=url, timeout=30) as client:
            await until(lambda: _is_ready(client))
            response = await client.post("/predict/ner", json=TEXT, headers=TRACED)
        await caller.settled()
        process.send_signal(signal.SIGTERM)
        worker.terminate()
        assert await asyncio.to_thread(process.wait, 60) == 0
    assert await worker.ended() == 0
    assert response.status_code == 200


@contextmanager
def _gateway_process(
    connection: KafkaConnection, topics: Topics, environment: dict[str, str]
) -> Iterator[tuple["subprocess.Popen[bytes]", str]]:
    port = free_port()
    told = {
        "KAFKA_BOOTSTRAP_SERVERS": connection.bootstrap_servers,
        "NLP_TOPIC_PREFIX": topics.prefix,
        "NLP_GATEWAY_PORT": str(port),
    }
    process = subprocess.Popen([sys.executable, "-m", "gateway"], env={**os.environ, **told, **environment})
    try:
        yield process, f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


async def _first_of(connection: KafkaConnection, topic: str) -> Received:
    consumer = AIOKafkaConsumer(topic, **connection.client_options(), auto_offset_reset="earliest")
    async with consumer, asyncio.timeout(30):
        record: Received = await consumer.getone()
    return record


async def _is_ready(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/health/ready")).status_code == 200
    except httpx.TransportError:
        return False


def _traced(endpoint: str) -> dict[str, str]:
    # Nothing is sent before the end: what comes shows that the last spans are not lost.
    return {
        "NLP_TRACING_ENABLED": "true",
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_BSP_SCHEDULE_DELAY": "600000",
    }


def _traceparent(span: Span) -> bytes:
    return f"00-{span.trace_id.hex()}-{span.span_id.hex()}-01".encode()


def _traceparents(record: Received) -> list[bytes | None]:
    return [value for name, value in record.headers if name == TRACEPARENT]
