"""The shape every wire record shares."""

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """A value on a topic or in an HTTP body.

    Frozen, so that a record may be shared between requests that ask the same thing. Unknown fields are refused,
    because a misspelt field that is silently ignored is a silent wrong answer. Types are strict: `"text": 5` is an
    error, never the text "5".
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
