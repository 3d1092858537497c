"""Which plots a scored set gives, by its kind: what a run shows of a bundle."""

from collections.abc import Sequence
from functools import singledispatch
from typing import cast

from matplotlib.figure import Figure
from seqeval.metrics import classification_report
from seqeval.scheme import IOB2

from schemas import Manifest, QaResult, Record, SentimentResult
from training.plots import confusion, entity_f1_by_type, qa_f1_by_answer_length, reliability
from training.reading import ReadSet, uncalibrated
from training.sets import EntitySet, LabelledSet, QuestionSet, SentimentSet
from training.tasks.qa import word_f1
from worker.words import bare_words


def draw(read: ReadSet, manifest: Manifest) -> dict[str, Figure]:
    """Return the figures of a set by name: those of its kind, and how far its scores hold, at temperature 1 and now."""
    labelled, head = read.labelled, read.labelled.contract.name
    results = read.results(manifest)
    before = read.results(uncalibrated(manifest))
    return {
        **draw_answers(labelled, results),
        f"{head}_reliability_before": reliability(labelled.judge(before), f"{labelled.name}, temperature 1"),
        f"{head}_reliability": reliability(
            labelled.judge(results), f"{labelled.name}, temperature {manifest.temperatures[head]:g}"
        ),
    }


@singledispatch
def draw_answers(labelled: LabelledSet, results: Sequence[Record]) -> dict[str, Figure]:
    """Return the figures of a set of this kind and its results, by name."""
    raise TypeError(f"nothing is drawn of a {type(labelled).__name__}")


@draw_answers.register
def _(labelled: SentimentSet, results: Sequence[Record]) -> dict[str, Figure]:
    found = [result.sentiment for result in cast(Sequence[SentimentResult], results)]
    labels = [example.label for example in labelled.examples]
    return {"sentiment_confusion": confusion(labels, found, ("negative", "positive"), labelled.name)}


@draw_answers.register
def _(labelled: EntitySet, results: Sequence[Record]) -> dict[str, Figure]:
    scores = f1_by_type([list(text.tags) for text in labelled.texts], labelled.predictions(results))
    return {"ner_f1_by_type": entity_f1_by_type(scores, labelled.name)}


@draw_answers.register
def _(labelled: QuestionSet, results: Sequence[Record]) -> dict[str, Figure]:
    lengths, f1s = [], []
    for result, question in zip(cast(Sequence[QaResult], results), labelled.questions, strict=True):
        lengths.append(len(bare_words(question.answers[0]).split()))
        f1s.append(max(word_f1(result.answer, gold) for gold in question.answers))
    return {"qa_f1_by_answer_length": qa_f1_by_answer_length(lengths, f1s, labelled.name)}


def f1_by_type(golds: list[list[str]], predictions: list[list[str]]) -> dict[str, float]:
    """Return the F1 of each entity type, counted as `ner_f1` is."""
    report = classification_report(golds, predictions, mode="strict", scheme=IOB2, output_dict=True, zero_division=0)
    return {kind: float(each["f1-score"]) for kind, each in report.items() if not kind.endswith(" avg")}
