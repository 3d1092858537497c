"""The OpenAPI document: FastAPI's, with the models of bodies that the routes read as bytes."""

from functools import cache
from typing import Any

from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse
from pydantic.json_schema import models_json_schema

from gateway.errors import MEDIA_TYPE, Problem, problem_of
from schemas import CONTRACTS, Limits, NlpError

PATH = "/openapi.json"


def add_openapi_route(app: FastAPI, limits: Limits) -> None:
    """Add `/openapi.json`, made when somebody first asks for it."""

    @cache
    def document() -> dict[str, Any]:
        return _complete(app.openapi(), limits)

    async def openapi() -> Response:
        return JSONResponse(document())

    app.add_api_route(PATH, openapi, include_in_schema=False)


def problem_answer(description: str, error: NlpError) -> tuple[int | str, dict[str, Any]]:
    """Return how a route documents an error: its status, and a worked example."""
    example = problem_of(error)
    content = {"schema": {"$ref": schema_path("Problem")}, "example": example.model_dump(exclude_none=True)}
    return example.status, {"description": description, "content": {MEDIA_TYPE: content}}


def schema_path(name: str) -> str:
    """Return where the document keeps the schema of a model."""
    return f"#/components/schemas/{name}"


def _complete(document: dict[str, Any], limits: Limits) -> dict[str, Any]:
    """Return the document with the schemas of every request, its limits in them, and of the problem."""
    models = [*((contract.request_type, "validation") for contract in CONTRACTS), (Problem, "validation")]
    _, definitions = models_json_schema(models, ref_template="#/components/schemas/{model}")  # type: ignore[arg-type]
    document["components"]["schemas"] |= definitions["$defs"]
    for contract in CONTRACTS:
        _limit(document["components"]["schemas"][contract.request_type.__name__]["properties"], limits)
    return document


def _limit(fields: dict[str, Any], limits: Limits) -> None:
    """Say in the fields of a request how much this gateway takes."""
    for name in fields.keys() & {"text", "context"}:
        fields[name]["maxLength"] = limits.max_text_chars
    if "question" in fields:
        fields["question"]["maxLength"] = limits.max_question_chars
    if "questions" in fields:
        fields["questions"]["maxItems"] = limits.max_questions
        fields["questions"]["items"]["maxLength"] = limits.max_question_chars
