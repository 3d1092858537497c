"""Documents: one text, several tasks, one pass through the encoder."""

from typing import Literal

from pydantic import ConfigDict, Field

from schemas.base import Record
from schemas.fields import EndChar, Question, RecordId, Score, StartChar, Text
from schemas.ner import Entity
from schemas.sentiment import Sentiment

DocumentTask = Literal["sentiment", "ner"]
_TEXT = "Apple Inc. opened a bright new office in London. Everyone loves it."


class DocumentRequest(Record):
    """Ask for several things of one text; each question is answered from the text."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"id": "doc-1", "text": _TEXT, "questions": ["Where is the new office?"]}],
            "anyOf": [
                {"properties": {"tasks": {"minItems": 1}}},
                {"properties": {"questions": {"minItems": 1}}, "required": ["questions"]},
            ],
        }
    )

    id: RecordId | None = None
    text: Text
    tasks: list[DocumentTask] = Field(
        default=["sentiment", "ner"],
        description="What is wanted of the text; both when left out. May be empty when there are questions.",
    )
    questions: list[Question] = Field(default=[], description="Questions to answer from the text.")


class Answer(Record):
    """The answer to one of the questions: `answer == text[start_char:end_char]`."""

    question: str = Field(description="The question as asked.")
    answer: str = Field(description="The answer, cut from the original text.")
    start_char: StartChar
    end_char: EndChar
    score: Score
    truncated: bool = Field(
        default=False, description="The question had more tokens than the model reads; its end was not seen."
    )


class EnrichedDocument(Record):
    """The text with all that was asked of it; what was not asked is null."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "doc-1",
                    "text": _TEXT,
                    "sentiment": {"label": "positive", "score": 0.98},
                    "entities": [
                        {"text": "Apple Inc.", "type": "ORG", "start_char": 0, "end_char": 10, "score": 0.99},
                        {"text": "London", "type": "LOC", "start_char": 41, "end_char": 47, "score": 0.99},
                    ],
                    "answers": [
                        {
                            "question": "Where is the new office?",
                            "answer": "London",
                            "start_char": 41,
                            "end_char": 47,
                            "score": 0.97,
                            "truncated": False,
                        }
                    ],
                }
            ]
        }
    )

    id: RecordId
    text: Text
    sentiment: Sentiment | None = Field(default=None, description="Null when sentiment was not asked.")
    entities: list[Entity] | None = Field(default=None, description="Null when entities were not asked.")
    answers: list[Answer] = Field(default=[], description="One answer a question, in the order asked.")
