"""The three public sets as examples, through `datasets`: from a directory of plain files, or from the Hugging Face hub.

A directory holds `sst2/<split>.tsv.gz` (columns sentence, label), `conll2003/<split>.txt.gz` (a word and its IOB2 tag a
line, a blank line between sentences), `squad1/<split>.json.gz` and `squad2/dev.json.gz` (the official layout).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets

from training.tasks import NerHead, SentimentHead


class DataError(Exception):
    """A data file is missing, or does not hold what it should."""


@dataclass(frozen=True, slots=True)
class LabelledText:
    """SST-2: a phrase or sentence and its label, "negative" or "positive"."""

    text: str
    label: str


@dataclass(frozen=True, slots=True)
class TaggedSentence:
    """CoNLL-2003: the words of a sentence and their IOB2 tags, equally many."""

    words: tuple[str, ...]
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """SQuAD: a question and its gold answers; each stands at its start, in code points of the context.

    Questions of one article have its title.
    """

    id: str
    title: str
    context: str
    question: str
    answers: tuple[str, ...]
    starts: tuple[int, ...]


def load_sentiment(directory: Path | None, split: str) -> list[LabelledText]:
    """Return SST-2's "train" or "dev"; raises `DataError`."""
    if directory is None:
        rows = _from_hub("nyu-mll/glue", "sst2", split)
    else:
        path = directory / "sst2" / f"{split}.tsv.gz"
        # Quote characters are ordinary tokens of this set: quoting=3 is csv.QUOTE_NONE.
        rows = _from_file(path, "csv", delimiter="\t", quoting=3, keep_default_na=False)
    _require_columns(rows, f"SST-2 {split}", "sentence", "label")
    return [LabelledText(row["sentence"].strip(), SentimentHead.labels[row["label"]]) for row in rows]


def load_entities(directory: Path | None, split: str) -> list[TaggedSentence]:
    """Return CoNLL-2003's "train", "dev" or "test"; raises `DataError`."""
    if directory is None:
        rows = _from_hub("eriktks/conll2003", None, split, revision="refs/convert/parquet")
        _require_columns(rows, f"CoNLL-2003 {split}", "tokens", "ner_tags")
        return [
            TaggedSentence(tuple(row["tokens"]), tuple(NerHead.labels[tag] for tag in row["ner_tags"])) for row in rows
        ]
    path = directory / "conll2003" / f"{split}.txt.gz"
    paragraphs = _from_file(path, "text", sample_by="paragraph")
    return [_tagged_sentence(row["text"], path) for row in paragraphs if row["text"].strip()]


def load_questions(directory: Path | None, split: str) -> list[Question]:
    """Return SQuAD 1.1's "train" or "dev"; raises `DataError`, also where an answer is not where it is said to be."""
    if directory is None:
        rows = _from_hub("rajpurkar/squad", None, split)
        _require_columns(rows, f"SQuAD {split}", "id", "title", "context", "question", "answers")
        questions = [_question(row, row["title"], row["context"], row["answers"]) for row in rows]
    else:
        articles = _from_file(directory / "squad1" / f"{split}.json.gz", "json", field="data")
        _require_columns(articles, f"SQuAD {split}", "title", "paragraphs")
        questions = list(_questions_of(articles))
    for question in questions:
        _check_offsets(question)
    return questions


def load_open_questions(directory: Path | None) -> list[Question]:
    """Return SQuAD 2.0's dev: half of its questions have no answer in their context; raises `DataError`."""
    if directory is None:
        rows = _from_hub("rajpurkar/squad_v2", None, "dev")
        _require_columns(rows, "SQuAD 2.0 dev", "id", "title", "context", "question", "answers")
        return [_question(row, row["title"], row["context"], row["answers"]) for row in rows]
    articles = _from_file(directory / "squad2" / "dev.json.gz", "json", field="data")
    _require_columns(articles, "SQuAD 2.0 dev", "title", "paragraphs")
    return list(_questions_of(articles))


def _questions_of(articles: datasets.Dataset) -> Iterator[Question]:
    for article in articles:
        for paragraph in article["paragraphs"]:
            for row in paragraph["qas"]:
                answers = row["answers"]
                columns = {name: [answer[name] for answer in answers] for name in ("text", "answer_start")}
                yield _question(row, article["title"], paragraph["context"], columns)


def _question(row: dict[str, Any], title: str, context: str, answers: dict[str, list[Any]]) -> Question:
    return Question(row["id"], title, context, row["question"], tuple(answers["text"]), tuple(answers["answer_start"]))


def _check_offsets(question: Question) -> None:
    if not question.answers:
        raise DataError(f"SQuAD question {question.id} has no answer")
    for answer, start in zip(question.answers, question.starts, strict=True):
        if question.context[start : start + len(answer)] != answer:
            raise DataError(f"SQuAD question {question.id}: its answer does not stand at character {start}")


def _tagged_sentence(paragraph: str, path: Path) -> TaggedSentence:
    pairs = [line.split(" ") for line in paragraph.strip("\n").split("\n")]
    for number, pair in enumerate(pairs, start=1):
        if len(pair) != 2 or pair[1] not in NerHead.labels:
            raise DataError(f"{path}: line {number} of a sentence is not a word and an IOB2 tag")
    words, tags = zip(*pairs, strict=True)
    return TaggedSentence(words, tags)


def _from_file(path: Path, kind: str, **options: Any) -> datasets.Dataset:
    if not path.is_file():
        raise DataError(f"{path}: no such file; name the directory of the sets with --data")
    datasets.disable_progress_bars()
    try:
        rows = datasets.load_dataset(kind, data_files=str(path), split="train", **options)
    except (datasets.exceptions.DatasetGenerationError, ValueError, OSError) as wrong:
        raise DataError(f"{path}: cannot be read ({wrong.__cause__ or wrong})") from wrong
    return _require_rows(rows, str(path))


def _from_hub(name: str, configuration: str | None, split: str, **options: Any) -> datasets.Dataset:
    try:
        rows = datasets.load_dataset(name, configuration, split={"dev": "validation"}.get(split, split), **options)
    except Exception as wrong:  # the hub's client lets through whatever its HTTP library raises, RuntimeError included
        raise DataError(f"{name}: cannot be fetched ({wrong}); name a directory of the sets with --data") from wrong
    return _require_rows(rows, name)


def _require_rows(rows: datasets.Dataset, name: str) -> datasets.Dataset:
    if not len(rows):
        raise DataError(f"{name}: holds no rows")
    return rows


def _require_columns(rows: datasets.Dataset, name: str, *columns: str) -> None:
    for column in columns:
        if column not in rows.column_names:
            raise DataError(f"{name}: no column {column}, but {', '.join(rows.column_names)}")
