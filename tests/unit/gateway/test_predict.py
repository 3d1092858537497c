"""The predict routes: what goes out, what comes back, and what happens when nothing does."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.errors import CALLER_GONE_STATUS
from schemas import CONTRACTS, Contract, Topics
from schemas.errors import RECORD_ERRORS, BrokerUnavailable, RecordError
from schemas.headers import (
    DEADLINE,
    ERROR_CODE,
    ERROR_DETAIL,
    ID,
    MODEL,
    SOURCE,
    ReplyHeaderNames,
    first,
    read_reply_to,
)
from tests.gateway_fixtures import FakeLink, Sent, app_with, client_of, samples_of

pytestmark = pytest.mark.anyio

OK: tuple[bytes, list[tuple[str, bytes]]] = (b'{"fine": 1}', [])
TEXT = {"text": "x"}


def example_of(contract: Contract) -> Any:
    return contract.request_type.model_json_schema()["examples"][0]


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.name)
async def test_each_task_has_its_topic_and_returns_the_reply_unchanged(contract: Contract) -> None:
    link = FakeLink(answer=lambda _: (b'{ "as":"it is" }', []))
    async with client_of(app_with(link)) as client:
        response = await client.post(f"/predict/{contract.name}", json=example_of(contract))

    assert (response.status_code, response.content) == (200, b'{ "as":"it is" }')
    assert response.headers["content-type"] == "application/json"
    assert [record.topic for record in link.sent] == [contract.requests(Topics())]


async def test_the_body_is_sent_byte_for_byte_under_the_callers_id() -> None:
    link = FakeLink(answer=lambda _: OK)
    body = b'{"text":   "\\u00e9", "id": "\xc3\xa9"}'
    async with client_of(app_with(link)) as client:
        await client.post("/predict/ner", content=body, headers={"content-type": "application/vnd.nlp+json"})

    assert (link.sent[0].value, link.sent[0].key) == (body, b"\xc3\xa9")


async def test_a_request_without_id_has_no_key() -> None:
    link = FakeLink(answer=lambda _: OK)
    async with client_of(app_with(link)) as client:
        await client.post("/predict/ner", json=TEXT)

    assert link.sent[0].key is None


async def test_the_reply_is_asked_for_in_springs_headers() -> None:
    link = FakeLink(answer=lambda _: OK, reply_partition=7)
    async with client_of(app_with(link)) as client:
        await client.post("/predict/ner", json=TEXT)
    reply_to = read_reply_to(link.sent[0].headers, ReplyHeaderNames())

    assert reply_to is not None
    assert (reply_to.topic, reply_to.partition, len(reply_to.correlation_id)) == ("nlp.replies", 7, 16)


@pytest.mark.parametrize(("wanted", "granted_s"), [(None, 8.0), ("2.5", 2.5), ("100", 8.0)])
async def test_the_deadline_is_what_the_caller_waits(wanted: str | None, granted_s: float) -> None:
    link = FakeLink(answer=lambda _: OK)
    async with client_of(app_with(link, timeout_s=8.0)) as client:
        before = time.time()
        await client.post("/predict/ner", json=TEXT, headers={"NLP-Timeout": wanted} if wanted else {})
        after = time.time()
    deadline_s = int(first(link.sent[0].headers, DEADLINE) or b"0") / 1_000

    assert before + granted_s - 0.001 <= deadline_s <= after + granted_s + 0.001


@pytest.mark.parametrize("wanted", ["0", "-1", "soon", "nan", "inf"])
async def test_a_timeout_that_is_no_time_is_refused(wanted: str) -> None:
    async with client_of(app_with(FakeLink())) as client:
        response = await client.post("/predict/ner", json=TEXT, headers={"NLP-Timeout": wanted})

    assert (response.status_code, response.json()["code"]) == (422, "invalid_header")
    assert response.json()["field"] == "NLP-Timeout"


async def test_the_trace_context_goes_through_exactly_once() -> None:
    link = FakeLink(answer=lambda _: OK)
    traces = [("traceparent", "00-1"), ("traceparent", "00-2"), ("tracestate", "a=1"), ("tracestate", "b=2")]
    async with client_of(app_with(link)) as client:
        await client.post("/predict/ner", json=TEXT, headers=traces)

    assert [(name, value) for name, value in link.sent[0].headers if name.startswith("trace")] == [
        ("traceparent", b"00-1"),
        ("tracestate", b"a=1,b=2"),
    ]


async def test_a_state_without_its_parent_is_dropped() -> None:
    link = FakeLink(answer=lambda _: OK)
    async with client_of(app_with(link)) as client:
        await client.post("/predict/ner", json=TEXT, headers={"tracestate": "a=1"})

    assert first(link.sent[0].headers, "tracestate") is None


async def test_the_response_says_id_model_and_source() -> None:
    said = [(ID, "é\r\nSet-Cookie: x%".encode()), (MODEL, b"m:1@sha256:0"), (SOURCE, b"t[0]@1")]
    async with client_of(app_with(FakeLink(answer=lambda _: (b"{}", said)))) as client:
        response = await client.post("/predict/ner", json=TEXT)

    assert response.headers["NLP-Id"] == "%C3%A9%0D%0ASet-Cookie: x%25"
    assert (response.headers["NLP-Model"], response.headers["NLP-Source"]) == ("m:1@sha256:0", "t[0]@1")
    assert "set-cookie" not in response.headers


@pytest.mark.parametrize("error", RECORD_ERRORS, ids=lambda error: error.code)
async def test_an_error_reply_has_the_workers_code(error: type[RecordError]) -> None:
    reply = (b"", [(ERROR_CODE, error.code.encode()), (ERROR_DETAIL, "who knows — why".encode())])
    async with client_of(app_with(FakeLink(answer=lambda _: reply))) as client:
        response = await client.post("/predict/ner", json=TEXT)

    assert (response.json()["code"], response.json()["detail"]) == (error.code, "who knows — why")
    assert response.status_code >= 400


async def test_an_error_code_of_a_newer_worker_is_an_internal_error() -> None:
    reply = (b"", [(ERROR_CODE, b"from_the_future")])
    async with client_of(app_with(FakeLink(answer=lambda _: reply))) as client:
        response = await client.post("/predict/ner", json=TEXT)

    assert (response.status_code, response.json()["code"]) == (500, "internal_error")


async def test_no_reply_in_time_is_504() -> None:
    async with client_of(app_with(FakeLink(), timeout_s=0.01)) as client:
        response = await client.post("/predict/ner", json=TEXT)
        pending = await samples_of(client, "nlp_gateway_pending_replies")

    assert (response.status_code, response.json()["code"]) == (504, "reply_timeout")
    assert pending == ["nlp_gateway_pending_replies 0.0"]


async def test_no_confirmation_in_time_is_503() -> None:
    async with client_of(app_with(FakeLink(is_delivered=False), timeout_s=0.01)) as client:
        response = await client.post("/predict/ner", json=TEXT)

    assert (response.status_code, response.json()["code"]) == (503, "broker_unavailable")


async def test_a_failed_delivery_is_503_at_once() -> None:
    async with client_of(app_with(FakeLink(answer=lambda _: BrokerUnavailable("refused")), timeout_s=600)) as client:
        response = await client.post("/predict/ner", json=TEXT)

    assert (response.status_code, response.json()["detail"]) == (503, "refused")
    assert response.headers["retry-after"] == "1"


async def test_a_link_that_is_not_ready_is_503_with_its_reason() -> None:
    async with client_of(app_with(FakeLink(unready_reason="no broker answers"))) as client:
        response = await client.post("/predict/ner", json=TEXT)

    assert (response.status_code, response.json()["detail"]) == (503, "no broker answers")


async def test_one_request_more_than_allowed_is_429() -> None:
    link = FakeLink()
    async with client_of(app_with(link, max_pending=1)) as client:
        first_one = asyncio.create_task(client.post("/predict/ner", json=TEXT))
        while not link.sent:
            await asyncio.sleep(0)
        refused = await client.post("/predict/ner", json=TEXT)
        first_one.cancel()

    assert (refused.status_code, refused.json()["code"], refused.json()["limit"]) == (429, "overloaded", 1)
    assert refused.headers["retry-after"] == "1"


async def test_an_endless_body_is_refused_before_it_ends() -> None:
    taken = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal taken
        while taken < 10_000_000:
            taken += 1_000
            yield b"x" * 1_000

    async with client_of(app_with(FakeLink())) as client:
        response = await client.post("/predict/ner", content=endless(), headers={"content-type": "application/json"})

    assert (response.status_code, response.json()["limit"]) == (413, 1_000_000)
    assert taken <= 1_001_000


async def test_a_caller_that_leaves_leaves_nothing_pending() -> None:
    link = FakeLink()
    app = app_with(link, timeout_s=600)
    left = asyncio.Event()
    body = iter([{"type": "http.request", "body": b'{"text": "x"}', "more_body": False}])
    statuses = []

    async def receive() -> Any:
        for message in body:
            return message
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        statuses.append(message.get("status"))

    async with client_of(app) as client:
        headers = [(b"content-type", b"application/json")]
        scope = {"type": "http", "method": "POST", "path": "/predict/ner", "headers": headers, "query_string": b""}
        asking = asyncio.create_task(app(scope, receive, send))
        while not link.sent:
            await asyncio.sleep(0)
        during = await samples_of(client, "nlp_gateway_pending_replies")
        left.set()
        await asking
        after = await samples_of(client, "nlp_gateway_pending_replies")

    assert (during, after) == (["nlp_gateway_pending_replies 1.0"], ["nlp_gateway_pending_replies 0.0"])
    assert statuses[0] == CALLER_GONE_STATUS


async def test_each_of_many_callers_gets_its_own_reply() -> None:
    waiting: list[Sent] = []
    link = FakeLink(answer=lambda record: waiting.append(record))
    async with client_of(app_with(link)) as client:
        asked = [asyncio.create_task(client.post("/predict/ner", json={"text": str(i)})) for i in range(50)]
        while len(waiting) < 50:
            await asyncio.sleep(0)
        link.answer = lambda record: (record.value, [])
        for record in reversed(waiting):
            await link.send(record.topic, None, record.value, record.headers, lambda _: None)
        answers = [(await response).json()["text"] for response in asked]

    assert answers == [str(i) for i in range(50)]
