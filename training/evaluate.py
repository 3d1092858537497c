"""Scores a bundle on the public sets, through the product's own tokenizer and decoding: `python -m training.evaluate`.

What is scored is what is served: requests go in, results come out, and the official metrics judge those.
"""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar, cast

from pydantic_settings import CliApp
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn
from rich.table import Table

from schemas import (
    NER,
    QA,
    SENTIMENT,
    AnyRequest,
    Contract,
    Entity,
    NerRequest,
    NerResult,
    QaRequest,
    QaResult,
    SentimentRequest,
    SentimentResult,
)
from schemas.errors import BundleError
from schemas.manifest import CARD_FILE, FLOAT_MODEL_FILE, METRICS_FILE, QUANTIZED_MODEL_FILE
from training.bundle import read_metrics
from training.card import METRIC_TITLES, Metrics, write_card
from training.data import DataError, load_entities, load_questions, load_sentiment
from training.export import save_float_model
from training.settings import WEIGHTS_FILE, EvaluateSettings
from training.tasks.ner import entity_f1
from training.tasks.qa import exact_match_and_f1
from training.tasks.sentiment import accuracy
from training.tracking import track_metrics
from worker.bundle import Bundle, load_bundle
from worker.encoder import Encoder
from worker.inference import Inference

GRAPHS = {"fp32": FLOAT_MODEL_FILE, "int8": QUANTIZED_MODEL_FILE}
_CHUNK = 128  # records answered between two steps of the progress bar; their windows are batched by length

Answerer = Callable[[Contract, Sequence[AnyRequest]], list[object]]
"""A contract and requests to results, in order."""
Row = TypeVar("Row")


def evaluate(answer: Answerer, settings: EvaluateSettings) -> dict[str, float]:
    """Return all metrics as fractions; raises `DataError`."""
    return {
        **score_sentiment(answer, settings.data, settings.limit),
        **score_entities(answer, settings.data, settings.limit),
        **score_questions(answer, settings.data, settings.limit),
    }


def score_sentiment(answer: Answerer, data: Path | None, limit: int | None) -> dict[str, float]:
    """Score SST-2 dev as it stands: lower-case, tokenised by spaces."""
    examples = load_sentiment(data, "dev")[:limit]
    results = answer(SENTIMENT, [SentimentRequest(text=example.text) for example in examples])
    return accuracy(
        [cast(SentimentResult, result).sentiment for result in results], [example.label for example in examples]
    )


def score_entities(answer: Answerer, data: Path | None, limit: int | None) -> dict[str, float]:
    """Score CoNLL-2003 test: the text is the words joined by a space, entities are mapped back on the words."""
    sentences = load_entities(data, "test")[:limit]
    results = answer(NER, [NerRequest(text=" ".join(sentence.words)) for sentence in sentences])
    predictions = [
        tags_of(sentence.words, cast(NerResult, result).entities)
        for sentence, result in zip(sentences, results, strict=True)
    ]
    return entity_f1(predictions, [sentence.tags for sentence in sentences])


def score_questions(answer: Answerer, data: Path | None, limit: int | None) -> dict[str, float]:
    """Score SQuAD 1.1 dev: the best of a question's gold answers counts."""
    questions = load_questions(data, "dev")[:limit]
    results = answer(QA, [QaRequest(context=each.context, question=each.question) for each in questions])
    return exact_match_and_f1(
        [cast(QaResult, result).answer for result in results], [question.answers for question in questions]
    )


def tags_of(words: Sequence[str], entities: Sequence[Entity]) -> list[str]:
    """Return the IOB2 tags of words joined by a space: an entity tags every word that it overlaps.

    Where two entities share a word it belongs to the first.
    """
    tags = ["O"] * len(words)
    for entity in entities:
        begins = True
        for number, (start, end) in enumerate(_word_spans(words)):
            if start < entity.end_char and entity.start_char < end and tags[number] == "O":
                tags[number] = f"{'B' if begins else 'I'}-{entity.type}"
                begins = False
    return tags


def _word_spans(words: Sequence[str]) -> Iterator[tuple[int, int]]:
    start = 0
    for word in words:
        yield start, start + len(word)
        start += len(word) + 1


def watched_answerer(inference: Inference, progress: Progress, title: str) -> Answerer:
    """Return what answers in chunks, moving a progress bar for each contract."""

    def answer(contract: Contract, requests: Sequence[AnyRequest]) -> list[object]:
        results: list[object] = []
        bar = progress.add_task(f"{title} {contract.name}", total=len(requests))
        for first in range(0, len(requests), _CHUNK):
            results += inference.answer(contract, requests[first : first + _CHUNK])
            progress.update(bar, completed=len(results))
        return results

    return answer


def measure(bundle: Bundle, settings: EvaluateSettings, console: Console) -> Metrics:
    """Return the metrics of each precision that is asked for."""
    metrics: Metrics = {}
    columns = (*Progress.get_default_columns()[:-1], MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        for precision in settings.precisions:
            if precision == "fp32":
                save_float_model(bundle.directory / WEIGHTS_FILE, bundle.directory)
            encoder = Encoder(bundle.directory / GRAPHS[precision], bundle.manifest.outputs, settings.threads)
            answer = watched_answerer(Inference(bundle, encoder), progress, precision)
            metrics[precision] = evaluate(answer, settings)
    return metrics


def record(bundle: Bundle, metrics: Metrics) -> None:
    """Write `metrics.json` and the card; a precision that was not measured now keeps its numbers."""
    known = read_metrics(bundle.directory) | metrics
    ordered = {precision: known[precision] for precision in GRAPHS if precision in known}
    (bundle.directory / METRICS_FILE).write_text(json.dumps(ordered, indent=2) + "\n", encoding="utf-8")
    (bundle.directory / CARD_FILE).write_text(write_card(bundle.manifest, ordered), encoding="utf-8")


def show(metrics: Metrics, console: Console) -> None:
    """Print the metrics in percent, one column a precision."""
    table = Table("set", *metrics)
    for name, title in METRIC_TITLES.items():
        table.add_row(title, *(f"{100 * each[name]:.2f}" for each in metrics.values()))
    console.print(table)


def main() -> None:
    """Score the bundle; write and log the numbers unless only a part of the sets was scored."""
    settings = CliApp.run(EvaluateSettings)
    console = Console()
    try:
        bundle = load_bundle(settings.bundle)
        metrics = measure(bundle, settings, console)
    except (BundleError, DataError) as wrong:
        sys.exit(f"Nothing was scored: {wrong}")
    show(metrics, console)
    if settings.limit is not None:
        console.print(f"Only {settings.limit} records of each set: nothing was written.")
        return
    record(bundle, metrics)
    track_metrics(settings, bundle.manifest, metrics)


if __name__ == "__main__":
    main()
