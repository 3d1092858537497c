"""`POST /predict/<task>`: one route for every contract."""

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, Request, Response
from starlette.requests import ClientDisconnect
from starlette.types import Receive

from gateway.access import Access
from gateway.connection import is_above_limit
from gateway.errors import CallerGone, RequestTimeout, UnsupportedMediaType
from gateway.exchange import Exchange, Question
from gateway.metrics import Metrics
from gateway.openapi import problem_answer, schema_path
from gateway.replies import Reply
from schemas import CONTRACTS, Contract, Limits, NlpError
from schemas.codec import decode_request
from schemas.errors import (
    BrokerUnavailable,
    InternalError,
    InvalidHeader,
    Overloaded,
    RecordTooLarge,
    ReplyTimeout,
    TextTooLong,
)
from schemas.headers import ID, MODEL, REQUEST_ID, SOURCE, TRACEPARENT, TRACESTATE
from telemetry.logs import request_id

TIMEOUT_HEADER = "NLP-Timeout"

_JSON = "application/json"
_PRINTABLE = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")
_TITLES = {
    "sentiment": "Is a text positive or negative",
    "ner": "The named entities of a text",
    "qa": "The answer to a question, cut from a context",
    "document": "Several things of one text in one pass",
}
_RESULT: dict[str, Any] = {
    "description": "The result, as it would stand on its topic",
    "headers": {
        "NLP-Id": {"description": "The caller's id, or where the request lay.", "schema": {"type": "string"}},
        "NLP-Model": {"description": "Name, version and digest of the model.", "schema": {"type": "string"}},
        "NLP-Source": {"description": "`topic[partition]@offset` of the request.", "schema": {"type": "string"}},
        "X-Request-ID": {"description": "The caller's, or a new one; on errors as well.", "schema": {"type": "string"}},
    },
}
_EXAMPLE_LIMIT = 100_000
_PROBLEMS: dict[str, NlpError] = {
    "The body did not arrive in time": RequestTimeout("the body did not arrive within 15 s"),
    "The body has more bytes than the limit": RecordTooLarge("the body has more bytes than the limit, 1000000"),
    "The body is not declared as JSON": UnsupportedMediaType(f"send the body as {_JSON}"),
    "The body is not a valid request; `code`, `field` and `limit` say why": TextTooLong(
        f"text: 120000 characters, the limit is {_EXAMPLE_LIMIT}", field="text", limit=_EXAMPLE_LIMIT
    ),
    "Too many requests are waiting": Overloaded("1000 requests are waiting, as many as are allowed", limit=1_000),
    "The model failed on this text": InternalError("the model failed on this record alone"),
    "No Kafka broker answers": BrokerUnavailable("the broker does not answer"),
    "No worker answered in time": ReplyTimeout("no reply came within 10 s"),
}
"""What may come instead of a result, with one worked example of each status."""


def add_predict_routes(
    app: FastAPI, exchange: Exchange, limits: Limits, metrics: Metrics, access: Access, timeout_s: float
) -> None:
    """Add a route for every contract."""
    guard = access.guard()
    problems = dict(problem_answer(text, error) for text, error in _PROBLEMS.items())
    for contract in CONTRACTS:
        app.add_api_route(
            f"/predict/{contract.name}",
            _predict(contract, exchange, limits, metrics, timeout_s),
            methods=["POST"],
            tags=["predict"],
            operation_id=f"predict_{contract.name}",
            summary=_TITLES.get(contract.name, contract.name),
            description=contract.request_type.__doc__,
            response_model=contract.result_type,
            dependencies=guard.dependencies,
            responses={200: _RESULT, **problems, **guard.responses},
            openapi_extra=_openapi_request(contract, timeout_s),
        )


def _predict(
    contract: Contract, exchange: Exchange, limits: Limits, metrics: Metrics, timeout_s: float
) -> Callable[[Request], Awaitable[Response]]:
    async def predict(request: Request) -> Response:
        _check_connection(request)
        _check_content_type(request)
        value = await _read_body(request, limits.max_record_bytes)
        # The worker's own check, so that HTTP and Kafka refuse the same things in the same words.
        asked = decode_request(value, contract.request_type, limits)
        metrics.request_bytes.labels(contract.name).observe(len(value))
        question = Question(
            contract=contract,
            value=value,
            key=None if asked.id is None else asked.id.encode(),
            headers=[*_trace_headers(request), *_request_id_header()],
            timeout_s=_timeout_s(request, timeout_s),
        )
        reply = await exchange.ask(question, lambda: _disconnected(request.receive))
        # The worker's bytes as they are: it has printed this very JSON for the results topic.
        return Response(reply.value, headers=_reply_headers(reply), media_type=_JSON)

    return predict


def _check_connection(request: Request) -> None:
    if is_above_limit(request.scope):
        raise Overloaded("as many connections are open as are allowed")


def _check_content_type(request: Request) -> None:
    # Browsers send other types across sites without asking; a JSON type makes them ask first.
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != _JSON and not (content_type.startswith("application/") and content_type.endswith("+json")):
        raise UnsupportedMediaType(f"send the body as {_JSON}")


async def _read_body(request: Request, limit: int) -> bytes:
    """Return the body, never holding more than `limit` bytes and one chunk of it."""
    error = RecordTooLarge(f"the body has more bytes than the limit, {limit}", limit=limit)
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > limit:
        raise error
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > limit:
                raise error
    except ClientDisconnect:
        raise CallerGone from None
    return bytes(body)


def _timeout_s(request: Request, longest_s: float) -> float:
    """Return how long the caller wants to wait, at most as long as the setting allows."""
    wanted = request.headers.get(TIMEOUT_HEADER)
    if wanted is None:
        return longest_s
    try:
        timeout_s = float(wanted)
    except ValueError:
        timeout_s = 0.0
    if not 0.0 < timeout_s < float("inf"):
        raise InvalidHeader(f"{TIMEOUT_HEADER}: not a positive number of seconds", field=TIMEOUT_HEADER)
    return min(timeout_s, longest_s)


def _trace_headers(request: Request) -> list[tuple[str, bytes]]:
    """Return the W3C trace context, each header once: of several parents the first, the states joined as one list."""
    headers = []
    parents = request.headers.getlist(TRACEPARENT)
    if parents:
        headers.append((TRACEPARENT, parents[0].encode()))
        states = request.headers.getlist(TRACESTATE)
        if states:
            headers.append((TRACESTATE, ",".join(states).encode()))
    return headers


def _request_id_header() -> list[tuple[str, bytes]]:
    """Return the request's id as a header of its record, so that what becomes of it can be found by it."""
    name = request_id.get()
    return [] if name is None else [(REQUEST_ID, name.encode())]


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _reply_headers(reply: Reply) -> dict[str, str]:
    """Return what the worker says of the result; what HTTP cannot carry in a header is percent-encoded."""
    said = dict(reply.headers)
    return {name: quote(said[name] or b"", safe=_PRINTABLE) for name in (ID, MODEL, SOURCE) if name in said}


def _openapi_request(contract: Contract, timeout_s: float) -> dict[str, Any]:
    schema = {"$ref": schema_path(contract.request_type.__name__)}
    example = contract.request_type.model_config["json_schema_extra"]["examples"][0]  # type: ignore[index]
    return {
        "requestBody": {"required": True, "content": {_JSON: {"schema": schema, "example": example}}},
        "parameters": [
            {
                "in": "header",
                "name": TIMEOUT_HEADER,
                "required": False,
                "description": f"Seconds to wait at most; {timeout_s:g} when not given, and where more is asked for.",
                "schema": {"type": "number", "exclusiveMinimum": 0},
            }
        ],
    }
