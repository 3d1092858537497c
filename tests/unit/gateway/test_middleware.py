"""Around every route: the request's id, security headers, CORS, and logs that keep a caller's text to themselves."""

import asyncio
import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.faults import FaultMiddleware
from gateway.keys import hash_line, new_key
from schemas.headers import REQUEST_ID, first
from telemetry.logs import LogFormat, configure_logging
from tests.gateway_fixtures import FakeLink, app_with, client_of

pytestmark = pytest.mark.anyio

SECRET = "a-secret-of-the-caller"
ORIGIN = "https://app.example"
PATHS = (
    "/",
    "/docs",
    "/redoc",
    "/openapi.json",
    "/health/live",
    "/metrics",
    "/static/index.js",
    "/nowhere",
    "/predict/ner",
)


def fail(_: object) -> None:
    raise ZeroDivisionError(SECRET)


def answering() -> FakeLink:
    return FakeLink(answer=lambda _: (b"{}", []))


@pytest.fixture
def _own_handlers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    # The client's own lines are not the gateway's.
    monkeypatch.setattr(logging.getLogger("httpx"), "disabled", True)
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.parametrize("path", PATHS)
async def test_every_answer_has_security_headers_and_an_id(path: str) -> None:
    async with client_of(app_with(FakeLink())) as client:
        headers = (await client.get(path)).headers

    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert len(headers.get_list("content-security-policy")) == 1
    assert headers["cache-control"] == ("no-cache" if "etag" in headers else "no-store")
    assert len(headers["x-request-id"]) == 32
    assert "strict-transport-security" not in headers
    assert "access-control-allow-origin" not in headers
    assert "server" not in headers


async def test_a_fault_of_ours_has_the_headers_too() -> None:
    async with client_of(app_with(FakeLink(answer=fail), cors_origins=ORIGIN)) as client:
        response = await client.post("/predict/ner", json={"text": "x"}, headers={"Origin": ORIGIN})

    assert (response.status_code, response.json()["code"]) == (500, "internal_error")
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["access-control-allow-origin"] == ORIGIN
    assert response.headers["x-request-id"]


async def test_https_is_insisted_on_where_a_setting_says_so() -> None:
    async with client_of(app_with(FakeLink(), hsts_s=600)) as client:
        headers = (await client.get("/nowhere")).headers

    assert headers["strict-transport-security"] == "max-age=600"


async def test_the_callers_id_comes_back_and_travels_with_the_record() -> None:
    link = answering()
    async with client_of(app_with(link)) as client:
        response = await client.post("/predict/ner", json={"text": "x"}, headers={"X-Request-ID": "cart/7:a"})

    assert response.headers["x-request-id"] == "cart/7:a"
    assert first(link.sent[0].headers, REQUEST_ID) == b"cart/7:a"


@pytest.mark.parametrize("shown", ["", "two words", "x" * 129, "a\tb", "ü", 'a"b'])
async def test_an_id_that_could_disturb_a_log_is_replaced(shown: str) -> None:
    link = answering()
    async with client_of(app_with(link)) as client:
        headers = {b"X-Request-ID": shown.encode("latin-1")}
        response = await client.post("/predict/ner", json={"text": "x"}, headers=headers)

    assert len(response.headers["x-request-id"]) == 32
    assert first(link.sent[0].headers, REQUEST_ID) == response.headers["x-request-id"].encode()


async def test_requests_without_an_id_get_different_ones() -> None:
    async with client_of(app_with(FakeLink())) as client:
        names = {(await client.get("/health/live")).headers["x-request-id"] for _ in range(20)}

    assert len(names) == 20


async def preflight(client: httpx.AsyncClient, origin: str, header: str = "authorization") -> httpx.Response:
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": f"content-type,{header}",
    }
    return await client.options("/predict/ner", headers=asked)


async def test_no_other_origin_may_call_unless_it_is_named() -> None:
    async with client_of(app_with(answering())) as client:
        asked = await preflight(client, ORIGIN)
        answered = await client.post("/predict/ner", json={"text": "x"}, headers={"Origin": ORIGIN})

    assert asked.status_code == 405
    assert not [name for name in {**asked.headers, **answered.headers} if name.startswith("access-control-")]


async def test_a_named_origin_may_call_and_read_what_the_answer_says() -> None:
    key = new_key()
    app = app_with(answering(), cors_origins=f"https://other.example,{ORIGIN}", api_keys=hash_line("app", key))
    async with client_of(app) as client:
        asked = await preflight(client, ORIGIN)
        stranger = await preflight(client, "https://app.example.evil")
        odd = await preflight(client, ORIGIN, "x-anything")
        headers = {"Origin": ORIGIN, "Authorization": f"Bearer {key}"}
        answered = await client.post("/predict/ner", json={"text": "x"}, headers=headers)
        refused = await client.post("/predict/ner", json={"text": "x"}, headers={"Origin": ORIGIN})

    assert (asked.status_code, asked.headers["access-control-allow-origin"]) == (200, ORIGIN)
    assert (stranger.status_code, odd.status_code) == (400, 400)
    assert "access-control-allow-origin" not in stranger.headers
    for response, status in ((answered, 200), (refused, 401)):
        assert (response.status_code, response.headers["access-control-allow-origin"]) == (status, ORIGIN)
        assert "nlp-id" in response.headers["access-control-expose-headers"].lower()
        assert "access-control-allow-credentials" not in response.headers


@pytest.mark.parametrize(
    "origins", ["app.example", "https://a.example/", "https://a.example, https://b.example", "null"]
)
def test_an_origin_that_would_never_match_is_refused(origins: str) -> None:
    with pytest.raises(ValueError, match="cors_origins"):
        app_with(FakeLink(), cors_origins=origins)


@pytest.mark.usefixtures("_own_handlers")
@pytest.mark.parametrize("log_format", ["text", "json"])
async def test_neither_a_bad_request_nor_a_fault_of_ours_leaves_the_callers_text_in_the_logs(
    log_format: LogFormat,
) -> None:
    stream = io.StringIO()
    configure_logging("info", log_format, stream)
    bodies: list[Any] = [{"text": SECRET}, {"text": [SECRET]}, {SECRET: 1}, [SECRET], {"text": SECRET, "id": SECRET}]
    async with client_of(app_with(FakeLink(answer=fail), access_log=True)) as client:
        for body in bodies:
            await client.post(f"/predict/ner?q={SECRET}", json=body, headers={"X-Request-ID": "r-1"})
        await client.post("/predict/ner", content=f'{{"text": "{SECRET}', headers={"content-type": "application/json"})
        await client.get(f"/{SECRET}")
    said = stream.getvalue()

    assert "This is a bug: a request failed" in said
    assert f"ZeroDivisionError at {__name__}:" in said
    assert SECRET not in said
    assert "Traceback" not in said


@pytest.mark.usefixtures("_own_handlers")
async def test_a_request_is_logged_by_its_id_route_status_and_the_name_of_its_key() -> None:
    stream = io.StringIO()
    configure_logging("info", "json", stream)
    key = new_key()
    headers = {"X-Request-ID": "r-2", "Authorization": f"Bearer {key}"}
    async with client_of(app_with(answering(), access_log=True, api_keys=hash_line("app", key))) as client:
        await client.post("/predict/ner", json={"text": "x"}, headers=headers)
        await client.post("/predict/ner", json={"text": "x"})
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    served, refused = (line for line in lines if line["logger"] == "gateway.access")

    assert (served["request_id"], served["method"], served["route"]) == ("r-2", "POST", "/predict/ner")
    assert (served["status"], served["caller"]) == (200, "app")
    assert 0 < served["duration_s"] < 60
    assert (refused["status"], refused.get("caller")) == (401, None)
    assert key not in stream.getvalue()


async def messages_of(app: ASGIApp, cancel_when: Callable[[], object] | None = None) -> list[Any]:
    """Return what the app sends for one prediction; it is cancelled as soon as it is time."""
    sent: list[Any] = []
    body = iter([{"type": "http.request", "body": b'{"text": "x"}', "more_body": False}])

    async def receive() -> Any:
        for message in body:
            return message
        await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": "/predict/ner", "headers": headers, "query_string": b""}
    asking = asyncio.ensure_future(app(scope, receive, send))
    if cancel_when is not None:
        while not cancel_when():
            await asyncio.sleep(0)
        asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    assert asking.cancelled() == (cancel_when is not None)
    return sent


async def test_a_request_that_is_given_up_at_the_end_is_answered_503() -> None:
    link = FakeLink()
    app = app_with(link, timeout_s=600)
    async with client_of(app):
        start, end = await messages_of(app, cancel_when=lambda: link.sent)

    assert (start["status"], json.loads(end["body"])["code"]) == (503, "service_unavailable")


async def test_a_fault_after_the_answer_has_begun_sends_nothing_more() -> None:
    begun = {"type": "http.response.start", "status": 200, "headers": []}

    async def break_off(_: Scope, __: Receive, send: Send) -> None:
        await send(begun)
        raise ZeroDivisionError

    assert await messages_of(FaultMiddleware(break_off)) == [begun]


async def test_a_slash_too_many_is_not_found_and_not_sent_elsewhere() -> None:
    async with client_of(app_with(FakeLink())) as client:
        response = await client.get("/docs/", headers={"Host": "evil.example"})

    assert (response.status_code, response.json()["code"]) == (404, "not_found")
