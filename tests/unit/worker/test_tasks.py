"""Logits to answers, with logits made by hand."""

import numpy as np
import pytest

from schemas import Entity, Manifest
from worker.arrays import Floats2d
from worker.bundle import Bundle
from worker.encoder import WindowLogits
from worker.tasks.base import Encoded
from worker.tasks.ner import find_entities
from worker.tasks.qa import find_answer
from worker.tasks.sentiment import find_sentiment
from worker.tokenizer import Passage, Reading, Tokenizer

LABELS = ["O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC", "B-MISC", "I-MISC"]


@pytest.fixture
def manifest(bundle: Bundle) -> Manifest:
    """The shipped manifest as it would be with nothing fitted: the logits here are those of the formulas."""
    temperatures = dict.fromkeys(bundle.manifest.temperatures, 1.0)
    return bundle.manifest.model_copy(update={"temperatures": temperatures, "answer_length_penalty": 0.0})


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
        ("He is in London.", {"London": "I-LOC"}, []),  # nothing to continue
        ("Anna Rome", {"Anna": "B-PER", "Rome": "I-LOC"}, [("Anna", "PER")]),
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


def test_a_sure_second_word_makes_a_doubtful_first_one_a_name(tokenizer: Tokenizer, manifest: Manifest) -> None:
    reading = tokenizer.read(Passage("New York"))
    rows = np.zeros((len(reading.windows[0]), 9), np.float32)
    rows[1, [LABELS.index("O"), LABELS.index("B-LOC")]] = 4, 3
    rows[2, [LABELS.index("I-LOC"), LABELS.index("B-LOC")]] = 8, 4

    found = find_entities(_encoded(reading, ner=[rows]), manifest)

    assert [(each.text, each.type) for each in found] == [("New York", "LOC")]
    assert found[0].score == pytest.approx(np.exp(3) / (np.exp(4) + np.exp(3) + 7), abs=1e-4)


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


def _answer_score(tokenizer: Tokenizer, manifest: Manifest, spans: dict[tuple[int, int], float], no: float) -> float:
    """Return the score of the best answer of 40 words, where each span's first and last word get half its logit."""
    reading = tokenizer.read(Passage("word " * 40, "what?"))
    window = reading.windows[0]
    rows = np.full((len(window), 2), -30, np.float32)
    rows[0] = no / 2
    for (first, last), logit in spans.items():
        rows[window.text_at + first, 0] = rows[window.text_at + last, 1] = logit / 2
    return find_answer(_encoded(reading, qa=[rows]), manifest).score


def test_answer_is_as_sure_as_its_share_of_all_answers(tokenizer: Tokenizer, manifest: Manifest) -> None:

    score = _answer_score(tokenizer, manifest, {(3, 3): 2.0, (33, 33): 0.0}, no=1.0)

    # 3 to 33 is too long to be an answer.
    assert score == pytest.approx(np.exp(2) / (np.exp(2) + np.exp(0) + np.exp(1)), abs=1e-4)


def test_each_token_after_the_first_costs_an_answer_the_penalty(tokenizer: Tokenizer, manifest: Manifest) -> None:
    spans = {(3, 3): 2.0, (34, 38): 2.5}  # 4 tokens after the first; 3 to 38 is too long
    fitted = {"answer_length_penalty": 0.2, "temperatures": {"qa": 2.0}}

    score = _answer_score(tokenizer, manifest.model_copy(update=fitted), spans, no=0.0)

    weights = np.exp([2.0 / 2, (2.5 - 4 * 0.2) / 2, 0.0])
    assert score == pytest.approx(weights[0] / weights.sum(), abs=1e-4)


def test_answers_that_are_mostly_the_same_share_their_score(tokenizer: Tokenizer, manifest: Manifest) -> None:
    reading = tokenizer.read(Passage("word " * 40, "what?"))
    window = reading.windows[0]
    rows = np.full((len(window), 2), -30, np.float32)
    rows[window.text_at + 5, 0] = 3  # begins at 5; ends at 6, or at 8, or (too much more) at 20
    for last, logit in ((6, 2.0), (8, 1.0), (20, 1.5)):
        rows[window.text_at + last, 1] = logit

    found = find_answer(_encoded(reading, qa=[rows]), manifest)

    together = np.exp(5) + np.exp(4)  # 5 to 8 has all of 5 to 6: F1 2 * 2 / (2 + 4)
    assert found.end_char - found.start_char == len("word word")
    assert found.score == pytest.approx(together / (together + np.exp(4.5)), abs=1e-4)


def test_answers_of_the_same_words_are_one(tokenizer: Tokenizer, manifest: Manifest) -> None:
    text = "The Vasa sank. Later the Wasa was raised, and the Vasa is a museum."
    reading = tokenizer.read(Passage(text, "Which ship?"))
    window = reading.windows[0]
    rows = np.full((len(window), 2), -30, np.float32)
    for word, nth, logit in (("Vasa", 0, 2.0), ("Vasa", 1, 1.9), ("Wasa", 0, 2.2)):
        start = [at for at in range(len(text)) if text.startswith(word, at)][nth]
        first, last = (
            int(np.flatnonzero(each == at)[0]) for each, at in ((reading.starts, start), (reading.ends, start + 4))
        )
        rows[window.text_at + first, 0] = rows[window.text_at + last, 1] = logit

    found = find_answer(_encoded(reading, qa=[rows]), manifest)

    assert (found.text, found.start_char) == ("Vasa", 4)  # twice said, and the likelier place of the two


def test_sure_no_answer_leaves_little_to_any_span(tokenizer: Tokenizer, manifest: Manifest) -> None:
    assert _answer_score(tokenizer, manifest, {(3, 3): 2.0}, no=14.0) < 0.05


def test_entity_is_as_sure_as_its_least_sure_word(tokenizer: Tokenizer, manifest: Manifest) -> None:
    reading = tokenizer.read(Passage("Anna Berta"))
    rows = np.zeros((len(reading.windows[0]), 9), np.float32)
    rows[1, LABELS.index("B-PER")] = 9
    rows[2, LABELS.index("I-PER")] = 4

    found = find_entities(_encoded(reading, ner=[rows]), manifest)

    assert [each.text for each in found] == ["Anna Berta"]
    assert found[0].score == pytest.approx(np.exp(4) / (np.exp(4) + 8), abs=1e-4)


def test_temperature_lowers_the_score_and_changes_no_answer(tokenizer: Tokenizer, manifest: Manifest) -> None:
    reading = tokenizer.read(Passage("Anna met Berta"))
    rows = np.zeros((len(reading.windows[0]), 9), np.float32)
    rows[1, LABELS.index("B-PER")] = rows[3, LABELS.index("B-PER")] = 5

    cold, warm = (
        find_entities(_encoded(reading, ner=[rows]), manifest.model_copy(update={"temperatures": {"ner": value}}))
        for value in (1.0, 2.0)
    )

    assert [(each.text, each.type) for each in warm] == [(each.text, each.type) for each in cold]
    assert all(after.score < before.score for before, after in zip(cold, warm, strict=True))


@pytest.mark.parametrize("text", ["IBM😀 wins", "😀IBM wins", "IBM❤\ufe0f wins", "👩\u200d👩\u200d👧IBM🎉🎉 wins"])
def test_emoji_hides_no_name(tokenizer: Tokenizer, manifest: Manifest, text: str) -> None:
    assert _label(tokenizer, manifest, text, {"IBM": "B-ORG"}) == [("IBM", "ORG")]


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
