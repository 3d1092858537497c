"""Figures in a document: they come between the marks, and nothing else is lost."""

from pathlib import Path

import pytest

from benchmarks.marked import read_between, write_between


def test_only_what_stands_between_the_marks_is_written_anew(tmp_path: Path) -> None:
    document = tmp_path / "document.md"
    document.write_text("before\n<a>\nold\n<b>\nafter\n")

    write_between(document, "<a>", "<b>", "new")

    assert document.read_text() == "before\n<a>\n\nnew\n\n<b>\nafter\n"
    assert read_between(document, "<a>", "<b>") == "new"


@pytest.mark.parametrize("text", ["", "<a>", "<b>", "<b> <a>", "<a> <a> <b>"])
def test_a_document_without_the_marks_stays_as_it_is(text: str, tmp_path: Path) -> None:
    document = tmp_path / "document.md"
    document.write_text(text)

    with pytest.raises(ValueError, match="once and in this order"):
        write_between(document, "<a>", "<b>", "new")

    assert document.read_text() == text
