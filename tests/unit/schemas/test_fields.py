"""What the JSON Schemas say of fields is what our own checks hold."""

import re

import pytest

from schemas import Limits, SentimentRequest
from schemas.errors import EmptyText
from schemas.fields import NOT_BLANK

SPACES = "".join(chr(code) for code in range(0x110000) if chr(code).isspace())


def test_no_white_space_that_we_refuse_passes_the_schema() -> None:
    assert not re.search(str(NOT_BLANK["pattern"]), SPACES)


@pytest.mark.parametrize("space", ["", SPACES])
def test_a_blank_text_is_empty_and_not_of_the_wrong_type(space: str) -> None:
    with pytest.raises(EmptyText):
        Limits().check(SentimentRequest(text=space))


@pytest.mark.parametrize("text", ["a", " a ", "ß", "\U0001f600", "\n.\n"])
def test_anything_else_passes_the_schema(text: str) -> None:
    assert re.search(str(NOT_BLANK["pattern"]), text)
