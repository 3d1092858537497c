"""Gateway and worker in one process: one trace from the HTTP call to the worker's stages and back."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
import pytest
from opentelemetry.trace import SpanKind, StatusCode

from gateway.app import create_app
from gateway.link import OnFailed
from gateway.replies import Reply
from gateway.settings import Settings
from schemas import CONTRACTS, KafkaConnection, Limits, Manifest, Topics
from schemas.errors import BrokerUnavailable
from schemas.headers import TRACEPARENT, TRACESTATE, Headers, ReplyHeaderNames, first
from tests.gateway_fixtures import FakeLink, client_of
from tests.traces import CALLER, TRACE_ID, Traces, context_of, traceparent_of, traceparents
from tests.worker_fixtures import RuleEncoder
from tests.worker_in_process import InProcessWorker, worker_in_process
from worker.outputs import Output
from worker.tokenizer import Tokenizer
from worker.tracing import Tracing

pytestmark = pytest.mark.anyio

CONTRACT_OF = {contract.requests(Topics()): contract for contract in CONTRACTS}


@dataclass
class WorkerLink(FakeLink):
    """Hands each record to a worker in this process."""

    worker: InProcessWorker | None = None
    requests: list[Headers] = field(default_factory=list)

    async def send(
        self, topic: str, key: bytes | None, value: bytes, headers: Headers, on_failed: OnFailed
    ) -> Callable[[], bool]:
        """Let the worker take the record."""
        if self.unready_reason is not None:
            raise BrokerUnavailable(self.unready_reason)
        assert self.worker is not None
        self.requests.append(list(headers))
        self.worker.take(CONTRACT_OF[topic], value, key, headers)
        return lambda: True

    async def carry(self) -> None:
        """Carry one reply back."""
        assert self.worker is not None
        while not (replies := [each for each in self.worker.producer.sent if each.topic == Topics().replies]):
            self.worker.producer.changed.clear()
            await self.worker.producer.changed.wait()
        self.on_reply(Reply(replies[0].value, replies[0].headers))

    @property
    def reply(self) -> Output:
        """The reply."""
        assert self.worker is not None
        return next(each for each in self.worker.producer.sent if each.topic == Topics().replies)


@asynccontextmanager
async def _gateway(link: WorkerLink, traces: Traces) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(
        Settings(),
        KafkaConnection(),
        Topics(),
        Limits(),
        ReplyHeaderNames(),
        link_type=lambda *_: link,
        spans=traces.spans,
    )
    async with client_of(app) as client:
        yield client


async def _ask(
    tokenizer: Tokenizer, manifest: Manifest, encoder: RuleEncoder, traces: Traces, headers: dict[str, str], text: str
) -> tuple[httpx.Response, WorkerLink]:
    tracing = Tracing(traces.spans, "nlp-worker")
    async with worker_in_process(tokenizer, manifest, encoder, tracing) as worker:
        link = WorkerLink(worker=worker)
        async with _gateway(link, traces) as client:
            carrying = asyncio.create_task(link.carry())
            response = await client.post("/predict/ner", json={"text": text}, headers=headers)
            await carrying
        await worker.done()
    return response, link


async def test_one_trace_leads_from_the_http_call_to_the_worker_and_back(
    tokenizer: Tokenizer, manifest: Manifest, rule_encoder: RuleEncoder
) -> None:
    traces = Traces()
    given = {TRACEPARENT: CALLER, TRACESTATE: "vendor=1"}

    response, _ = await _ask(tokenizer, manifest, rule_encoder, traces, given, "a fine day")

    assert response.status_code == 200
    assert {f"{context_of(span).trace_id:032x}" for span in traces.ended} == {TRACE_ID}
    server = traces.named("POST /predict/ner")
    assert server.kind is SpanKind.SERVER
    assert server.parent is not None and f"{server.parent.span_id:016x}" == CALLER.split("-")[2]
    assert traces.children_of(server) == ["send nlp.ner.requests"]
    assert traces.children_of(traces.named("send nlp.ner.requests")) == ["process nlp.ner.requests"]
    assert "send nlp.replies" in traces.children_of(traces.named("process nlp.ner.requests"))
    assert traces.children_of(traces.named("send nlp.replies")) == ["receive nlp.replies"]


async def test_request_and_reply_carry_one_trace_context_each_and_the_callers_state(
    tokenizer: Tokenizer, manifest: Manifest, rule_encoder: RuleEncoder
) -> None:
    traces = Traces()
    given = {TRACEPARENT: CALLER, TRACESTATE: "vendor=1,other=2"}

    _, link = await _ask(tokenizer, manifest, rule_encoder, traces, given, "a fine day")

    assert traceparents(link.requests[0]) == [traceparent_of(traces.named("send nlp.ner.requests"))]
    assert traceparents(link.reply.headers) == [traceparent_of(traces.named("send nlp.replies"))]
    assert [first(each, TRACESTATE) for each in (link.requests[0], link.reply.headers)] == [b"vendor=1,other=2"] * 2


async def test_a_caller_without_a_trace_gets_one_of_its_own(
    tokenizer: Tokenizer, manifest: Manifest, rule_encoder: RuleEncoder
) -> None:
    traces = Traces()

    await _ask(tokenizer, manifest, rule_encoder, traces, {}, "a fine day")

    assert traces.named("POST /predict/ner").parent is None
    assert len({context_of(span).trace_id for span in traces.ended}) == 1


async def test_an_error_reply_fails_the_spans_of_worker_and_gateway_by_the_code(
    tokenizer: Tokenizer, manifest: Manifest
) -> None:
    traces = Traces()
    broken = RuleEncoder(fails_on=lambda batch: batch.input_ids.shape[1] > 20)

    response, _ = await _ask(tokenizer, manifest, broken, traces, {}, "long " * 50)

    assert response.status_code == 500
    for name in ("process nlp.ner.requests", "receive nlp.replies"):
        assert traces.named(name).status.description == "internal_error"
    assert traces.named("POST /predict/ner").status.status_code is StatusCode.ERROR


async def test_a_request_that_cannot_be_sent_fails_its_span_by_the_code() -> None:
    traces = Traces()

    async with _gateway(WorkerLink(unready_reason="the broker does not answer"), traces) as client:
        response = await client.post("/predict/ner", json={"text": "a fine day"})

    assert response.status_code == 503
    assert traces.named("send nlp.ner.requests").status.description == "broker_unavailable"
    assert traces.named("POST /predict/ner").status.status_code is StatusCode.ERROR


async def test_probes_and_scrapes_leave_no_spans() -> None:
    traces = Traces()

    async with _gateway(WorkerLink(), traces) as client:
        for path in ("/health/live", "/health/ready", "/metrics", "/"):
            await client.get(path)

    assert traces.ended == ()
