"""Logits to answers, with logits made by hand."""

import numpy as np
import pytest

from schemas import Entity, Manifest
from worker.arrays import Floats2d
from worker.encoder import WindowLogits
from worker.tasks.base import Encoded
from worker.tasks.ner import find_entities
from worker.tasks.qa import find_answer
from worker.tasks.sentiment import find_sentiment
from worker.tokenizer import Passage, Reading, Tokenizer

LABELS = ["O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC", "B-MISC", "I-MISC"]


def _encoded(
    reading: Reading,
    *,
    sentiment: list[list[float]] | None = None,
    ner: list[Floats2d] | None = None,
    qa: list[Floats2d] | None = None,
) -> Encoded:
    windows = reading.windows
    return Encoded(
        reading,
        tuple(
            WindowLogits(
                np.array(sentiment[number] if sentiment else [0, 0], np.float32),
                ner[number] if ner else np.zeros((len(window), 9), np.float32),
                qa[number] if qa else np.zeros((len(window), 2), np.float32),
            )
            for number, window in enumerate(windows)
        ),
    )


def _label(tokenizer: Tokenizer, manifest: Manifest, text: str, labels: dict[str, str]) -> list[tuple[str, str]]:
    """Give the first token at each word of `labels` its label, and return the entities found."""
    reading = tokenizer.read(Passage(text))
    logits = np.zeros((len(reading.windows[0]), 9), np.float32)
    logits[:, 0] = 4
    for word, label in labels.items():
        token = int(np.flatnonzero(reading.starts == text.index(word))[0]) + reading.windows[0].text_at
        logits[token, LABELS.index(label)] = 8
    found = find_entities(_encoded(reading, ner=[logits]), manifest)
    assert all(text[each.start_char : each.end_char] == each.text for each in found)
    return [(each.text, each.type) for each in found]


@pytest.mark.parametrize(
    ("text", "labels", "expected"),
    [
        ("Apple Inc. opens.", {"Apple": "B-ORG", "Inc": "I-ORG"}, [("Apple Inc.", "ORG")]),
        ("He is in London.", {"London": "B-LOC"}, [("London", "LOC")]),
        ("He is in London.", {"London": "I-LOC"}, [("London", "LOC")]),  # BIO repair: nothing to continue
        ("Anna Rome", {"Anna": "B-PER", "Rome": "I-LOC"}, [("Anna", "PER"), ("Rome", "LOC")]),
        ("Anna Berta", {"Anna": "B-PER", "Berta": "B-PER"}, [("Anna", "PER"), ("Berta", "PER")]),
        ("Anna Berta", {"Anna": "B-PER", "Berta": "I-PER"}, [("Anna Berta", "PER")]),
        ("Schwarzenegger's film", {"Schwarz": "B-PER"}, [("Schwarzenegger", "PER")]),  # never a word piece
        ("the AT&T shares", {"AT": "B-ORG"}, [("AT&T", "ORG")]),
        ("Zu\u0308rich\r\n👩\u200d👧", {"Zu": "B-LOC"}, [("Zu\u0308rich", "LOC")]),
        ("👩\u200d👩\u200d👧 Bern", {"Bern": "B-LOC"}, [("Bern", "LOC")]),
        ("🎉 IBM 🎉", {"🎉": "B-ORG", "IBM": "I-ORG"}, [("IBM", "ORG")]),  # an emoji is no name
        ("Smith & Sons!", {"Smith": "B-ORG", "&": "I-ORG", "Sons": "I-ORG", "!": "I-ORG"}, [("Smith & Sons", "ORG")]),
        ("no names", {}, []),
    ],
)  # fmt: skip
def test_entities_are_joined_words(
    tokenizer: Tokenizer, manifest: Manifest, text: str, labels: dict[str, str], expected: list[tuple[str, str]]
) -> None:
    assert _label(tokenizer, manifest, text, labels) == expected


def test_entity_across_the_seam_of_two_windows_is_one(narrow_tokenizer: Tokenizer, manifest: Manifest) -> None:
    text = "a " * 17 + "New York City Marathon " + "b " * 20
    reading = narrow_tokenizer.read(Passage(text))
    name = range(17, 21)
    logits = []
    for window in reading.windows:
        rows = np.zeros((len(window), 9), np.float32)
        rows[:, 0] = 4
        for token in name:
            if window.first <= token < window.first + window.count:
                rows[window.text_at + token - window.first, LABELS.index("B-MISC" if token == 17 else "I-MISC")] = 8
        logits.append(rows)

    entities: list[Entity] = find_entities(_encoded(reading, ner=logits), manifest)

    assert len(reading.windows) > 1
    assert [each.text for each in entities] == ["New York City Marathon"]


def test_sentiment_of_a_long_text_is_the_mean_of_its_windows_by_length(
    narrow_tokenizer: Tokenizer, manifest: Manifest
) -> None:
    reading = narrow_tokenizer.read(Passage("word " * 30))  # windows of 22 and 16 tokens
    counts = [window.count for window in reading.windows]
    logits = [[0.0, 2.0], [3.0, 0.0]]

    found = find_sentiment(_encoded(reading, sentiment=logits), manifest)

    positive = [1 / (1 + np.exp(-2)), 1 / (1 + np.exp(3))]
    expected = float(np.average(positive, weights=counts))
    assert len(counts) == 2
    assert found.label == ("positive" if expected > 0.5 else "negative")
    assert found.score == pytest.approx(max(expected, 1 - expected), abs=1e-5)


def test_answer_is_the_best_span_over_all_windows(narrow_tokenizer: Tokenizer, manifest: Manifest) -> None:
    text = "blue " * 20 + "the code is 4711 today " + "green " * 20
    reading = narrow_tokenizer.read(Passage(text, "Which code?"))
    target = text.index("4711")
    logits = []
    for window in reading.windows:
        rows = np.zeros((len(window), 2), np.float32)
        for at in range(window.count):
            rows[window.text_at + at, 0] = 9 * (reading.starts[window.first + at] == target)
            rows[window.text_at + at, 1] = 9 * (reading.ends[window.first + at] == target + 4)
        logits.append(rows)

    found = find_answer(_encoded(reading, qa=logits), manifest)

    assert len(reading.windows) > 2
    assert found.text == "4711"
    assert found.score > 0.5


def test_answer_never_ends_before_it_starts(tokenizer: Tokenizer, manifest: Manifest) -> None:
    reading = tokenizer.read(Passage("one two three four", "what?"))
    window = reading.windows[0]
    rows = np.zeros((len(window), 2), np.float32)
    rows[window.text_at + 3, 0] = 5  # starts at "four"
    rows[window.text_at, 1] = 5  # ends at "one"

    found = find_answer(_encoded(reading, qa=[rows]), manifest)

    assert found.start_char < found.end_char


def test_question_that_is_too_long_is_cut_and_flagged(narrow_tokenizer: Tokenizer, manifest: Manifest) -> None:
    reading = narrow_tokenizer.read(Passage("a text", "why " * 20))

    found = find_answer(_encoded(reading), manifest)

    assert found.truncated


def test_case_of_words_travels_in_the_token_types(tokenizer: Tokenizer) -> None:
    window = tokenizer.read(Passage("The NATO iPhone said", "Who IS it?")).windows[0]

    question, context = window.token_type_ids[: window.text_at], window.token_type_ids[window.text_at :]
    assert question.tolist()[:4] == [0, 2, 4, 0]  # [CLS] Who IS it
    assert set((context % 2).tolist()) == {1}
    assert (context[0], context[1], context[-2]) == (3, 5, 1)  # The NATO … said
