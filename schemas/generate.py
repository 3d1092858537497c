"""Write the JSON Schema of every record, and of the bundle's manifest, to `schemas/json`: `make schemas`."""

import json
from pathlib import Path

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode

from schemas.contracts import CONTRACTS
from schemas.manifest import Manifest

DIRECTORY = Path(__file__).parent / "json"


def schema_texts() -> dict[str, str]:
    """Return file name to JSON Schema text, for every request, result and the manifest."""
    models: list[type[BaseModel]] = [Manifest]
    for contract in CONTRACTS:
        models += [contract.request_type, contract.result_type]
    return {f"{model.__name__}.json": _schema_text(model) for model in models}


def _schema_text(model: type[BaseModel]) -> str:
    is_output = model.__name__.endswith(("Result", "Document"))
    mode: JsonSchemaMode = "serialization" if is_output else "validation"
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **model.model_json_schema(mode=mode)}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    DIRECTORY.mkdir(exist_ok=True)
    for stale in DIRECTORY.glob("*.json"):
        stale.unlink()
    for name, text in schema_texts().items():
        (DIRECTORY / name).write_text(text)
