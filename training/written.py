"""Texts of our own, which the project holds (`training/written/`): what the public sets lack.

Film reviews alone teach that who tells of trouble is unhappy, newswire of 1996 knows no e-mails, and SQuAD 1.1 has no
question without an answer. How they were written, and in which form, says the README beside them.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from training.data import DataError, LabelledText, Question, TaggedSentence
from training.tasks import NerHead

WRITTEN = Path(__file__).with_name("written")

_LABELS = {"+": "positive", "-": "negative"}
_TYPES = frozenset(label.partition("-")[2] for label in NerHead.labels if label != "O")
_PARTS = re.compile(r"\[([A-Z]+) ([^\[\]]+)\]|([^\[\]\s]+)|([\[\]])")

_Line = tuple[int, str]


def load_written_opinions(split: Literal["train", "dev", "test"]) -> list[LabelledText]:
    """Return our own opinions: to learn from ("train"), to choose by ("dev"), and those that are reported ("test").

    A line is one text after its label, `+` or `-`. Raises `DataError`.
    """
    path = WRITTEN / "opinions" / f"{split}.txt"
    opinions = []
    for number, line in _lines(path):
        mark, _, text = line.partition(" ")
        if mark not in _LABELS or not text:
            raise DataError(f"{path}: line {number} is not a text after '+ ' or '- '")
        opinions.append(LabelledText(text, _LABELS[mark]))
    return opinions


def load_written_names(split: Literal["train", "test"]) -> list[TaggedSentence]:
    """Return our own sentences with names, in the order of their texts.

    A line is one sentence, its words and marks with spaces between, names marked as in `[PER Ada Lovelace] left .`
    Raises `DataError`.
    """
    path = WRITTEN / "names" / f"{split}.txt"
    return [_tagged(line, f"{path}: line {number}") for number, line in _lines(path)]


def _tagged(line: str, place: str) -> TaggedSentence:
    words: list[str] = []
    tags: list[str] = []
    for kind, name, word, stray in _PARTS.findall(line):
        if stray or (kind and kind not in _TYPES):
            raise DataError(f"{place} has a bracket that is not a name's, as in [PER Ada Lovelace]")
        parts = name.split() if kind else [word]
        words += parts
        tags += [f"B-{kind}"] + [f"I-{kind}"] * (len(parts) - 1) if kind else ["O"]
    return TaggedSentence(tuple(words), tuple(tags))


def load_written_questions(split: Literal["train", "test"]) -> list[Question]:
    """Return our own questions, those without an answer in their paragraph with none.

    `# title` begins an article; a line is a paragraph, `Q: question? | answer` with the answer as it stands there, or
    `U: question?`, which the paragraph does not answer. Raises `DataError`.
    """
    path = WRITTEN / "questions" / f"{split}.txt"
    questions: list[Question] = []
    title = context = ""
    for number, line in _lines(path):
        if line.startswith("# "):
            title, context = line[2:], ""
        elif line.startswith(("Q: ", "U: ")):
            asked, _, answer = line[3:].rpartition(" | ") if line[0] == "Q" else (line[3:], "", "")
            if not context or not asked or (answer and answer not in context):
                raise DataError(f"{path}: line {number} is not a question and its answer in the paragraph before it")
            found = ((answer,), (context.index(answer),)) if answer else ((), ())
            questions.append(Question(f"{split}-{number}", title, context, asked, *found))
        else:
            context = line
    return questions


def _lines(path: Path) -> Iterator[_Line]:
    """Yield the lines that are not empty and their numbers, from 1."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as wrong:
        raise DataError(f"{path}: cannot be read ({wrong})") from wrong
    return ((number, line.strip()) for number, line in enumerate(lines, start=1) if line.strip())
