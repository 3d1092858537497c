"""Extractive question answering: the span of a context that answers a question."""

from pydantic import ConfigDict, Field

from schemas.base import Record
from schemas.fields import EndChar, Question, RecordId, Score, StartChar, Text

_CONTEXT = "MLflow is an open source platform for the machine learning lifecycle."


class QaRequest(Record):
    """Ask one question of one context."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"context": _CONTEXT, "question": "What is MLflow?"}]})

    id: RecordId | None = None
    context: Text = Field(description="The text that holds the answer; positions count its Unicode code points.")
    question: Question = Field(description="The question.")


class QaResult(Record):
    """The best span: `answer == request.context[start_char:end_char]`."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "nlp.qa.requests/0/17",
                    "answer": "an open source platform for the machine learning lifecycle",
                    "start_char": 10,
                    "end_char": 68,
                    "score": 0.95,
                    "truncated": False,
                }
            ]
        }
    )

    id: RecordId
    answer: str = Field(description="The answer, cut from the original context.")
    start_char: StartChar
    end_char: EndChar
    score: Score
    truncated: bool = Field(
        default=False, description="The question had more tokens than the model reads; its end was not seen."
    )
