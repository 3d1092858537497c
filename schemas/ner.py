"""Named entities: who, where, which organisation a text speaks of."""

from typing import Literal

from pydantic import ConfigDict, Field

from schemas.base import Record
from schemas.fields import EndChar, RecordId, Score, StartChar, Text

EntityType = Literal["PER", "ORG", "LOC", "MISC"]


class NerRequest(Record):
    """Ask for the named entities of one text."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"text": "Apple Inc. is planning to open a new office in London."}]}
    )

    id: RecordId | None = None
    text: Text


class Entity(Record):
    """One named entity: `text == request.text[start_char:end_char]`, always whole words."""

    text: str = Field(description="The entity, cut from the original text.")
    type: EntityType = Field(description="Person, organisation, location or other name (CoNLL-2003).")
    start_char: StartChar
    end_char: EndChar
    score: Score


class NerResult(Record):
    """The named entities of the request's text, in reading order, never overlapping."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "nlp.ner.requests/0/17",
                    "text": "Apple Inc. is planning to open a new office in London.",
                    "entities": [
                        {"text": "Apple Inc.", "type": "ORG", "start_char": 0, "end_char": 10, "score": 0.99},
                        {"text": "London", "type": "LOC", "start_char": 47, "end_char": 53, "score": 0.99},
                    ],
                }
            ]
        }
    )

    id: RecordId
    text: Text
    entities: list[Entity] = Field(description="The entities found, in reading order.")
