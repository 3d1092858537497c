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
Text = Annotated[str, Field(description="The text as received; all positions count its Unicode code points.")]
Score = Annotated[
    float,
    Field(ge=0.0, le=1.0, description="The probability that this is right, 0 to 1, to 4 decimals."),
    # More would be noise: another processor, or other texts in the batch, change the digits after these.
    AfterValidator(lambda score: round(score, 4)),
]
StartChar = Annotated[int, Field(ge=0, description="First code point of the span in the original text.")]
EndChar = Annotated[int, Field(ge=0, description="One past the last code point of the span.")]
