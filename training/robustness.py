"""Texts unlike those of the training: what people write is neither newswire nor a film review.

Names in small letters, in capitals, without marks, typed as usual, or in texts of many sentences; texts of our own, as
people write every day; questions that their text does not answer. Scored on the int8 graph, as it is served.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from pathlib import Path

from training.data import Question, TaggedSentence, load_entities, load_open_questions
from training.reading import Reader
from training.reliability import Judged, ranking
from training.sets import EntitySet, LabelledSet, QuestionSet, SentimentSet, TaggedText, as_plain, spaced
from training.variety import glued, without_marks
from training.written import load_written_names, load_written_opinions, load_written_questions
from worker.bundle import Bundle

LONG_TEXT_SENTENCES = 16


def measure_robustness(reader: Reader, bundle: Bundle, data: Path | None, limit: int | None) -> dict[str, float]:
    """Return the metrics by name, as fractions; raises `DataError`."""
    sentences = load_entities(data, "test")[:limit]
    metrics = {
        f"ner_f1_{name}": _metrics(reader, bundle, EntitySet(f"CoNLL-2003 test, {name}", texts))["ner_f1"]
        for name, texts in noisy(sentences).items()
    }
    for labelled in load_plain(limit):
        metrics |= as_plain(_metrics(reader, bundle, labelled))
    questions = load_open_questions(data)[:limit]
    metrics["qa_auroc_unanswerable"] = tell_answerable(reader, bundle, questions)
    return metrics


def load_plain(limit: int | None) -> list[LabelledSet]:
    """Return texts of our own, of a kind that people send every day and that the public sets hold nothing of."""
    answered = [question for question in load_written_questions("test") if question.answers]
    return [
        SentimentSet("our opinions", load_written_opinions("test")[:limit]),
        EntitySet("our names", [typed(sentence) for sentence in load_written_names("test")[:limit]]),
        QuestionSet("our questions", answered[:limit]),
    ]


def _metrics(reader: Reader, bundle: Bundle, labelled: LabelledSet) -> dict[str, float]:
    return labelled.metrics(reader.read(labelled, "robustness").results(bundle.manifest))


def tell_answerable(reader: Reader, bundle: Bundle, questions: Sequence[Question]) -> float:
    """Return how well the score tells questions with an answer from those without (area under the ROC curve)."""
    labelled = QuestionSet("SQuAD 2.0 dev", questions)
    scores = labelled.judge(reader.read(labelled, "robustness").results(bundle.manifest)).scores
    return ranking(Judged.of(zip(scores.tolist(), (bool(each.answers) for each in questions), strict=True)))


def noisy(sentences: Sequence[TaggedSentence]) -> dict[str, list[TaggedText]]:
    """Return the sentences in each kind of writing, by its name."""
    return {
        "upper": spaced(_changed(sentences, str.upper)),
        "lower": spaced(_changed(sentences, str.lower)),
        "no_punctuation": spaced(filter(None, map(without_marks, sentences))),
        "typed": [typed(sentence) for sentence in sentences],
        "long": spaced(_joined(sentences)),
    }


def _changed(sentences: Sequence[TaggedSentence], change: Callable[[str], str]) -> Iterable[TaggedSentence]:
    return (TaggedSentence(tuple(map(change, each.words)), each.tags) for each in sentences)


def _joined(sentences: Sequence[TaggedSentence]) -> Iterable[TaggedSentence]:
    """Yield texts of sentences that stand together in the set, as long as people's letters and pages are."""
    for first in range(0, len(sentences), LONG_TEXT_SENTENCES):
        together = sentences[first : first + LONG_TEXT_SENTENCES]
        yield TaggedSentence(
            tuple(chain.from_iterable(sentence.words for sentence in together)),
            tuple(chain.from_iterable(sentence.tags for sentence in together)),
        )


def typed(sentence: TaggedSentence) -> TaggedText:
    """Return the sentence with its marks where people type them: no space before a full stop."""
    text, spans = "", []
    for word, is_glued in zip(sentence.words, glued(sentence.words), strict=True):
        text += word if is_glued else f" {word}"
        spans.append((len(text) - len(word), len(text)))
    return TaggedText(text, spans, sentence.tags)
