"""Every error as a problem of RFC 9457: one code, one HTTP status, and never the caller's text."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from schemas import NlpError

MEDIA_TYPE = "application/problem+json"
CALLER_GONE_STATUS = 499
"""Written to metrics only, since nobody is there to read it; the number is nginx's."""

_RETRY_AFTER_S = "1"

STATUS_BY_CODE: dict[str, int] = {
    "unauthorized": 401,
    "request_timeout": 408,
    "malformed_record": 422,
    "invalid_field": 422,
    "invalid_header": 422,
    "empty_text": 422,
    "text_too_long": 422,
    "too_many_questions": 422,
    "result_too_large": 422,
    "record_too_large": 413,
    "unsupported_media_type": 415,
    "overloaded": 429,
    "internal_error": 500,
    "broker_unavailable": 503,
    "access_denied": 503,
    "invalid_bundle": 503,
    "registry_unavailable": 503,
    "expired": 504,
    "reply_timeout": 504,
}
"""The HTTP status of every code in `schemas.errors`, and of those that only HTTP knows."""

_HEADERS_BY_CODE: dict[str, dict[str, str]] = {
    "unauthorized": {"WWW-Authenticate": 'Bearer realm="nlp"'},
    # What is still to come of the request would be read as the next one.
    "request_timeout": {"Connection": "close"},
}


class Unauthorized(NlpError):
    """No key was shown, or one that is not known."""

    code = "unauthorized"


class RequestTimeout(NlpError):
    """The request did not arrive in full within the time for it."""

    code = "request_timeout"


class UnsupportedMediaType(NlpError):
    """The body's content type is not JSON."""

    code = "unsupported_media_type"


class CallerGone(Exception):
    """The caller closed its connection: nobody is left to answer."""


class Problem(BaseModel):
    """What was wrong, as `application/problem+json` (RFC 9457)."""

    model_config = ConfigDict(frozen=True)

    type: str = Field(description="A name of the kind of problem; the same for each `code`.")
    title: str = Field(description="The kind of problem, in words.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What was wrong with this request; never quotes its text.")
    code: str = Field(description="Stable: the code that dead letters carry as well.")
    field: str | None = Field(default=None, description="The field at fault.")
    limit: int | None = Field(default=None, description="The limit that was passed.")


def problem_of(error: NlpError) -> Problem:
    """Return the problem that tells an HTTP caller of this error."""
    return _problem(STATUS_BY_CODE[error.code], error.code, error.detail, field=error.field, limit=error.limit)


def problem_response(problem: Problem, headers: dict[str, str] | None = None) -> Response:
    """Return the problem as a response; a busy or absent service asks to be tried again after a second."""
    fields = dict(headers or {})
    if problem.status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
        fields.setdefault("Retry-After", _RETRY_AFTER_S)
    return Response(problem.model_dump_json(exclude_none=True), problem.status, fields, MEDIA_TYPE)


def add_exception_handlers(app: FastAPI) -> None:
    """Answer every error of the app, the framework's own as well, with a problem."""
    app.add_exception_handler(NlpError, _on_nlp_error)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(CallerGone, _on_caller_gone)


def status_problem(status: HTTPStatus, detail: str | None = None) -> Problem:
    """Return a problem of HTTP itself, in HTTP's own words where no others are given."""
    return _problem(status, status.name.lower(), detail or status.description or status.phrase)


def bug_problem() -> Problem:
    """Return the problem that tells of a fault of ours, and nothing more."""
    return _problem(500, "internal_error", "the gateway failed on this request")


def _problem(status: int, code: str, detail: str, **extra: Any) -> Problem:
    title = code.replace("_", " ").capitalize()
    return Problem(type=f"urn:nlp:problem:{code}", title=title, status=status, detail=detail, code=code, **extra)


async def _on_nlp_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, NlpError)
    return problem_response(problem_of(error), _HEADERS_BY_CODE.get(error.code))


async def _on_http_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    # The framework's own detail is left out: it may quote the request.
    return problem_response(status_problem(HTTPStatus(error.status_code)), dict(error.headers or {}))


async def _on_invalid_request(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    field = ".".join(str(part) for part in error.errors()[0]["loc"])[:200]
    return problem_response(_problem(422, "invalid_field", f"{field}: not valid", field=field))


async def _on_caller_gone(_: Request, __: Exception) -> Response:
    return Response(status_code=CALLER_GONE_STATUS)
