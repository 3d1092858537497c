"""The OpenAPI document: FastAPI's, with the models of bodies that the routes read as bytes."""

from typing import Any

from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse
from pydantic.json_schema import models_json_schema

from gateway.errors import Problem
from schemas import CONTRACTS

PATH = "/openapi.json"


def add_openapi_route(app: FastAPI) -> None:
    """Add `/openapi.json`; call it after all other routes."""
    document = _complete(app.openapi())

    async def openapi() -> Response:
        return JSONResponse(document)

    app.add_api_route(PATH, openapi, include_in_schema=False)


def _complete(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document with the schemas of every request and of the problem."""
    models = [*((contract.request_type, "validation") for contract in CONTRACTS), (Problem, "validation")]
    _, definitions = models_json_schema(models, ref_template="#/components/schemas/{model}")  # type: ignore[arg-type]
    document["components"]["schemas"] |= definitions["$defs"]
    return document
