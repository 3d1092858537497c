"""The bundled sample: texts of many kinds, and records that are none, as the bytes that go on a topic."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas import Topics

SAMPLES = Path(__file__).with_name("samples.jsonl")


@dataclass(frozen=True, slots=True)
class Sample:
    """One record to produce: `kind` says what is special about it, `value` None is a record without a value."""

    id: str
    kind: str
    topic: str
    value: bytes | None


def read_samples(topics: Topics, path: Path = SAMPLES) -> list[Sample]:
    """Return every sample, on its topic's name."""
    return list(_samples(topics, path))


def _samples(topics: Topics, path: Path) -> Iterator[Sample]:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            sample = json.loads(line)
            yield Sample(sample["id"], sample["kind"], getattr(topics, sample["topic"]), _value(sample))


def _value(sample: dict[str, Any]) -> bytes | None:
    """Return the request as JSON, or the bytes that are no request, which the file holds in base64."""
    if "request" in sample:
        return json.dumps(sample["request"], ensure_ascii=False).encode()
    return None if sample["bytes"] is None else base64.b64decode(sample["bytes"])
