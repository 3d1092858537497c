"""Errors as problems: every code has a status, and nothing of the caller's text comes back."""

import json

import httpx
import pytest

from gateway.errors import (
    STATUS_BY_CODE,
    RequestTimeout,
    Unauthorized,
    UnsupportedMediaType,
    problem_of,
    problem_response,
)
from schemas import Limits, NlpError
from schemas.errors import Overloaded, RecordError, TextTooLong
from tests.gateway_fixtures import FakeLink, app_with, client_of

SECRET = "a-secret-of-the-caller"


def concrete_errors(root: type[NlpError] = NlpError) -> set[type[NlpError]]:
    found = {root} if "code" in vars(root) and root.__module__ == "schemas.errors" else set()
    return found.union(*(concrete_errors(error) for error in root.__subclasses__()))


def code_of(error: type[NlpError]) -> str:
    return error.code


ERRORS: list[type[NlpError]] = sorted(concrete_errors(), key=code_of)


def test_every_code_has_one_status() -> None:
    of_http = {Unauthorized.code, RequestTimeout.code, UnsupportedMediaType.code}
    codes = {error.code for error in concrete_errors()} | of_http

    assert set(STATUS_BY_CODE) == codes


@pytest.mark.parametrize("error_type", ERRORS, ids=code_of)
def test_a_retriable_error_is_never_the_callers_fault(error_type: type[NlpError]) -> None:
    status = STATUS_BY_CODE[error_type.code]

    assert (status == 429 or status >= 500) or not error_type.retriable
    assert status < 500 or not issubclass(error_type, RecordError) or error_type.code in ("expired", "internal_error")


def test_a_problem_names_code_field_and_limit() -> None:
    problem = problem_of(TextTooLong("text: 12 characters, the limit is 10", field="text", limit=10))

    assert problem.model_dump() == {
        "type": "urn:nlp:problem:text_too_long",
        "title": "Text too long",
        "status": 422,
        "detail": "text: 12 characters, the limit is 10",
        "code": "text_too_long",
        "field": "text",
        "limit": 10,
    }


def test_too_many_requests_say_when_to_come_back() -> None:
    response = problem_response(problem_of(Overloaded("full")))

    assert response.headers["retry-after"] == "1"
    assert response.media_type == "application/problem+json"
    assert "field" not in json.loads(bytes(response.body))


def is_problem(response: httpx.Response) -> bool:
    body = response.json()
    return (
        response.headers["content-type"] == "application/problem+json"
        and body["status"] == response.status_code
        and {"type", "title", "detail", "code"} <= body.keys()
    )


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", f"/{SECRET}", 404, "not_found"),
        ("GET", f"/static/{SECRET}.js", 404, "not_found"),
        ("GET", "/predict/ner", 405, "method_not_allowed"),
        ("DELETE", "/metrics", 405, "method_not_allowed"),
    ],
)
async def test_the_frameworks_errors_are_problems(method: str, path: str, status: int, code: str) -> None:
    async with client_of(app_with(FakeLink())) as client:
        response = await client.request(method, path)

    assert (response.status_code, response.json()["code"]) == (status, code)
    assert is_problem(response)
    assert SECRET not in response.text


@pytest.mark.anyio
async def test_a_method_that_is_not_there_names_those_that_are() -> None:
    async with client_of(app_with(FakeLink())) as client:
        response = await client.get("/predict/ner")

    assert response.headers["allow"] == "POST"


@pytest.mark.anyio
async def test_a_bug_is_a_problem_that_tells_nothing() -> None:
    def fail(_: object) -> None:
        raise ZeroDivisionError(SECRET)

    async with client_of(app_with(FakeLink(answer=fail))) as client:
        response = await client.post("/predict/ner", json={"text": SECRET})

    assert (response.status_code, response.json()["code"]) == (500, "internal_error")
    assert is_problem(response)
    assert SECRET not in response.text


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("path", "body", "status", "code", "field", "limit"),
    [
        ("ner", f'{{"text": "{SECRET}"', 422, "malformed_record", None, None),
        ("ner", f'["{SECRET}"]', 422, "malformed_record", None, None),
        ("ner", "", 422, "malformed_record", None, None),
        ("ner", f'{{"text": ["{SECRET}"]}}', 422, "invalid_field", "text", None),
        ("ner", f'{{"text": "{SECRET}", "txt": "{SECRET}"}}', 422, "invalid_field", "txt", None),
        ("ner", "{}", 422, "invalid_field", "text", None),
        ("ner", f'{{"id": "{SECRET * 20}", "text": "x"}}', 422, "invalid_field", "id", None),
        ("sentiment", '{"text": " \\t"}', 422, "empty_text", "text", None),
        ("sentiment", f'{{"text": "{SECRET * 2}"}}', 422, "text_too_long", "text", 30),
        ("qa", f'{{"context": "{SECRET}", "question": ""}}', 422, "empty_text", "question", None),
        ("document", f'{{"text": "x", "tasks": ["{SECRET}"]}}', 422, "invalid_field", "tasks.0", None),
        ("document", '{"text": "x", "questions": ["a", "b", "c"]}', 422, "too_many_questions", "questions", 2),
        ("ner", f'{{"text": "{SECRET * 50}"}}', 413, "record_too_large", None, 1_000),
    ],
)
async def test_bad_input_is_named_and_not_quoted(
    path: str, body: str, status: int, code: str, field: str | None, limit: int | None
) -> None:
    limits = Limits(max_record_bytes=1_000, max_text_chars=30, max_questions=2)
    link = FakeLink()
    async with client_of(app_with(link, limits)) as client:
        response = await client.post(
            f"/predict/{path}", content=body, headers={"content-type": "application/json; charset=utf-8"}
        )

    problem = response.json()
    assert (response.status_code, problem["code"]) == (status, code)
    assert (problem.get("field"), problem.get("limit")) == (field, limit)
    assert is_problem(response)
    assert SECRET not in response.text
    assert link.sent == []


@pytest.mark.anyio
@pytest.mark.parametrize("content_type", ["", "text/plain", "application/x-www-form-urlencoded", "application/jsonx"])
async def test_a_body_that_is_not_declared_as_json_gets_415(content_type: str) -> None:
    headers = {"content-type": content_type} if content_type else {}
    async with client_of(app_with(FakeLink())) as client:
        response = await client.post("/predict/ner", content=b'{"text": "x"}', headers=headers)

    assert (response.status_code, response.json()["code"]) == (415, "unsupported_media_type")
