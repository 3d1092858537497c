"""Sentiment: is a whole text positive or negative."""

from typing import Literal

from pydantic import ConfigDict, Field

from schemas.base import Record
from schemas.fields import RecordId, Score, Text

SentimentLabel = Literal["negative", "positive"]


class SentimentRequest(Record):
    """Ask for the sentiment of one text."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"text": "The implementation was seamless and very robust."}]}
    )

    id: RecordId | None = None
    text: Text


class Sentiment(Record):
    """The more likely label of a text and its probability."""

    label: SentimentLabel = Field(description="The more likely label.")
    score: Score


class SentimentResult(Record):
    """The sentiment of the request's text."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "nlp.sentiment.requests/0/17",
                    "text": "The implementation was seamless and very robust.",
                    "sentiment": "positive",
                    "score": 0.98,
                }
            ]
        }
    )

    id: RecordId
    text: Text
    sentiment: SentimentLabel = Field(description="The more likely label.")
    score: Score
