"""Field types that several records share."""

from typing import Annotated

from pydantic import AfterValidator, Field

RecordId = Annotated[
    str,
    Field(
        min_length=1,
        max_length=256,
        description="The caller's id of the record; a result carries the id of its request, or "
        "`topic/partition/offset` of the request where none was given.",
    ),
]
NOT_BLANK = {"minLength": 1, "pattern": r"[^\s\x00-\x1f\x7f-\x9f]"}
"""More than white space and controls. For JSON Schemas alone: our own check has a code of its own."""
Text = Annotated[
    str,
    Field(
        json_schema_extra=dict(NOT_BLANK),
        description="The text as received; all positions count its Unicode code points.",
    ),
]
Question = Annotated[str, Field(json_schema_extra=dict(NOT_BLANK), description="A question to answer from the text.")]
Score = Annotated[
    float,
    Field(ge=0.0, le=1.0, description="The probability that this is right, 0 to 1, to 4 decimals."),
    # More would be noise: another processor, or other texts in the batch, change the digits after these.
    AfterValidator(lambda score: round(score, 4)),
]
StartChar = Annotated[int, Field(ge=0, description="First code point of the span in the original text.")]
EndChar = Annotated[int, Field(ge=0, description="One past the last code point of the span.")]
