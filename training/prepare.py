"""Fetches and checks all sets before hours are spent on them: `python -m training.prepare`.

Prints what each split holds and the digest of its content, which is the same from files and from the hub. `datasets`
keeps what was read, so that the steps after this one begin at once.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic_settings import CliApp
from rich.console import Console
from rich.table import Table

from training.data import (
    DataError,
    LabelledText,
    Question,
    TaggedSentence,
    load_entities,
    load_open_questions,
    load_questions,
    load_sentiment,
)
from training.exits import leave
from training.settings import PrepareSettings
from training.written import load_written_names, load_written_opinions, load_written_questions

Example = LabelledText | TaggedSentence | Question


@dataclass(frozen=True, slots=True)
class Split:
    """What a split holds: so many examples, and the sha256 of all of them in order."""

    title: str
    examples: int
    sha256: str


def prepare(data: Path | None) -> list[Split]:
    """Read and check every split that any step reads; raises `DataError`."""
    loaders: dict[str, Callable[[], Sequence[Example]]] = {
        "SST-2 train": lambda: load_sentiment(data, "train"),
        "SST-2 dev": lambda: load_sentiment(data, "dev"),
        "CoNLL-2003 train": lambda: load_entities(data, "train"),
        "CoNLL-2003 dev": lambda: load_entities(data, "dev"),
        "CoNLL-2003 test": lambda: load_entities(data, "test"),
        "SQuAD 1.1 train": lambda: load_questions(data, "train"),
        "SQuAD 1.1 dev": lambda: load_questions(data, "dev"),
        "SQuAD 2.0 dev": lambda: load_open_questions(data),
        "our opinions, train": lambda: load_written_opinions("train"),
        "our opinions, dev": lambda: load_written_opinions("dev"),
        "our opinions, test": lambda: load_written_opinions("test"),
        "our names, train": lambda: load_written_names("train"),
        "our names, test": lambda: load_written_names("test"),
        "our questions, train": lambda: load_written_questions("train"),
        "our questions, test": lambda: load_written_questions("test"),
    }
    return [describe(title, load()) for title, load in loaders.items()]


def describe(title: str, examples: Sequence[Example]) -> Split:
    """Return size and digest of a split. The ids of questions do not count: copies of SQuAD number them differently."""
    digest = hashlib.sha256()
    for example in examples:
        content: dict[str, Any] = asdict(example)
        content.pop("id", None)
        digest.update(json.dumps(content, ensure_ascii=False).encode() + b"\n")
    return Split(title, len(examples), digest.hexdigest())


def main() -> None:
    """Check the sets and say what they hold."""
    settings = CliApp.run(PrepareSettings)
    console = Console()
    try:
        splits = prepare(settings.data)
    except DataError as wrong:
        leave("Nothing was prepared", wrong)
    table = Table("set", "examples", "sha256")
    for split in splits:
        table.add_row(split.title, f"{split.examples:,}", split.sha256[:16])
    console.print(table)


if __name__ == "__main__":
    main()
