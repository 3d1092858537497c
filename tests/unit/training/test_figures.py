"""What is drawn of a scored set: plots of its kind, and its scores' reliability before and after calibration."""

import numpy as np
from matplotlib.patches import Rectangle

from schemas import Entity, Manifest, NerResult, QaResult, SentimentResult
from training.data import LabelledText, Question
from training.figures import draw, draw_answers, f1_by_type
from training.reading import ReadSet, at_temperature
from training.sets import EntitySet, QuestionSet, SentimentSet, TaggedText
from worker.encoder import WindowLogits
from worker.tasks import Encoded
from worker.tokenizer import Passage, Tokenizer

_TEXTS = SentimentSet(
    "texts", [LabelledText("a warm, funny film", "positive"), LabelledText("truly awful", "negative")]
)


def test_sentiment_gives_a_confusion_of_both_labels() -> None:
    results = [SentimentResult(id="0", text="t", sentiment="positive", score=0.9)] * 2

    (figure,) = draw_answers(_TEXTS, results).values()

    (axes,) = figure.axes
    assert [text.get_text() for text in axes.texts] == ["0", "1", "0", "1"]
    assert axes.get_title() == "texts"


def test_entities_give_the_f1_of_each_type() -> None:
    text = TaggedText("Ada in Oslo", ((0, 3), (4, 6), (7, 11)), ("B-PER", "O", "B-LOC"))
    found = Entity(text="Ada", type="PER", start_char=0, end_char=3, score=0.9)

    figures = draw_answers(EntitySet("news", [text]), [NerResult(id="0", text=text.text, entities=[found])])

    (axes,) = figures["ner_f1_by_type"].axes
    bars = dict(zip([tick.get_text() for tick in axes.get_xticklabels()], axes.texts, strict=True))
    assert {kind: bar.get_text() for kind, bar in bars.items()} == {"LOC": "0.0", "PER": "100.0"}


def test_questions_give_the_best_f1_by_the_length_of_the_first_answer() -> None:
    question = Question(
        "1", "title", "The old harbour of Oslo.", "What?", ("the old harbour", "old harbour of Oslo"), (0, 4)
    )
    answer = QaResult(id="0", answer="old harbour of Oslo", start_char=4, end_char=23, score=0.9)

    (figure,) = draw_answers(QuestionSet("articles", [question]), [answer]).values()

    (axes,) = figure.axes
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["2"]  # the article is no word
    (bar,) = axes.patches
    assert isinstance(bar, Rectangle)
    assert bar.get_height() == 1.0


def test_f1_of_a_type_counts_whole_entities() -> None:
    golds = [["B-PER", "I-PER", "O"], ["B-ORG", "O", "B-PER"]]
    found = [["B-PER", "O", "O"], ["B-ORG", "O", "B-PER"]]

    assert f1_by_type(golds, found) == {"ORG": 1.0, "PER": 0.5}


def test_reliability_is_drawn_at_temperature_one_and_at_the_bundles_own(
    manifest: Manifest, tokenizer: Tokenizer
) -> None:
    logits = WindowLogits(np.array([0, 4], np.float32), np.zeros((4, 9), np.float32), np.zeros((4, 2), np.float32))
    encoded = Encoded(tokenizer.read(Passage("It is fine")), (logits,))
    read = ReadSet(_TEXTS, [encoded] * 2)  # positive of both, and right of one

    figures = draw(read, at_temperature(manifest, "sentiment", 2.0))

    assert list(figures) == ["sentiment_confusion", "sentiment_reliability_before", "sentiment_reliability"]
    titles = {name: figure.axes[0].get_title() for name, figure in figures.items()}
    assert titles["sentiment_reliability_before"] == "texts, temperature 1: ECE 48.2"  # 1 / (1 + e^-4) says 98.2
    assert titles["sentiment_reliability"] == "texts, temperature 2: ECE 38.1"  # 1 / (1 + e^-2) says 88.1
