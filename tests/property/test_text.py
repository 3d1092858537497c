"""Positions are right and entities are words, whatever the text is made of."""

from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import Manifest
from schemas.errors import EmptyText
from worker.encoder import WindowLogits
from worker.tasks.base import Encoded, merge_windows
from worker.tasks.ner import best_path, find_entities
from worker.tasks.qa import find_answer
from worker.tokenizer import Passage, Reading, Tokenizer, case_of, window_bounds
from worker.words import find_words

PIECES = st.sampled_from(
    [
        *("London", "IBM", "Zürich", "Zu\u0308rich", "e\u0301", "a", "U.S.", "Inc.", "O'Neill's", "don't", "AT&T"),
        *("-", ".", ",", "&", " ", "\r\n", "\t", "\u00a0", "\u200b", "\u200d", "\ufeff", "\x00", "\ufffd"),
        *("😀", "👩\u200d👩\u200d👧", "🇬🇧", "हिन्दी", "ภาษาไทย", "東京", "한국어", "שלום", "مرحبا", "ﬁ", "İ", "ß"),
        *("<b>", "http://x.y/?a=1", "1,000.5", "x" * 120),
    ]
)
TEXTS = st.lists(st.one_of(PIECES, st.characters(exclude_categories=["Cs"])), min_size=1, max_size=60).map("".join)


def _read(tokenizer: Tokenizer, passage: Passage) -> Reading | None:
    try:
        return tokenizer.read(passage)
    except EmptyText:
        return None


def _encoded(reading: Reading, seed: int) -> Encoded:
    rng = np.random.default_rng(seed)
    logits = tuple(
        WindowLogits(
            rng.normal(size=2).astype(np.float32),
            rng.normal(size=(len(window), 9)).astype(np.float32),
            rng.normal(size=(len(window), 2)).astype(np.float32),
        )
        for window in reading.windows
    )
    return Encoded(reading, logits)


@given(TEXTS)
@settings(deadline=None)
def test_words_cover_the_text_but_for_white_space(text: str) -> None:
    words = find_words(text)

    covered = {at for start, end in words for at in range(start, end)}
    assert all(char.isspace() for at, char in enumerate(text) if at not in covered)
    assert all(not any(char.isspace() for char in text[start:end]) for start, end in words)
    assert all(left.end_char <= right.start_char for left, right in pairwise(words))


@given(st.text(st.characters(max_codepoint=127)))
def test_words_of_ascii_are_those_of_any_text(text: str) -> None:
    any_text = find_words(text + " \u2014")[:-1]

    assert find_words(text) == any_text


@given(TEXTS, st.integers(0, 2**31))
@settings(deadline=None)
def test_entities_are_whole_words_at_their_exact_positions(
    tokenizer: Tokenizer, manifest: Manifest, text: str, seed: int
) -> None:
    reading = _read(tokenizer, Passage(text))
    if reading is None:
        return

    entities = find_entities(_encoded(reading, seed), manifest)

    words = find_words(text)
    starts, ends = {word.start_char for word in words}, {word.end_char for word in words}
    for entity in entities:
        assert text[entity.start_char : entity.end_char] == entity.text
        assert entity.start_char in starts
        assert entity.end_char in ends
    assert all(a.end_char <= b.start_char for a, b in pairwise(entities))


@given(TEXTS, st.integers(0, 2**31), st.sampled_from([0.0, 1.5, 3.0]))
@settings(deadline=None)
def test_entities_are_those_of_a_reader_of_every_word(
    tokenizer: Tokenizer, manifest: Manifest, text: str, seed: int, doubt: float
) -> None:
    reading = _read(tokenizer, Passage(text))
    if reading is None:
        return
    encoded = _encoded(reading, seed)
    for window in encoded.logits:
        window.ner[:, 0] += doubt

    found = find_entities(encoded, manifest)

    assert [(each.type, each.start_char, each.end_char) for each in found] == _read_every_word(encoded, manifest)


def _read_every_word(encoded: Encoded, manifest: Manifest) -> list[tuple[str, int, int]]:
    """Return type and place of each entity the plain way: the best path over every word's first token."""
    logits, _ = merge_windows(encoded.reading, [window.ner for window in encoded.logits])
    names = manifest.labels["ner"]
    starts, text = encoded.reading.starts.tolist(), encoded.reading.passage.text
    words = find_words(text)
    tokens = [next((at for at, begin in enumerate(starts) if start <= begin < end), None) for start, end in words]
    nothing = np.where(np.arange(len(names)) == 0, 0, -np.inf)  # a word without a token is part of no name
    rows = np.array([nothing if token is None else logits[token] for token in tokens])
    may_follow = [[not name.startswith("I") or before[1:] == name[1:] for name in names] for before in names]
    entities: list[tuple[str, int, int]] = []
    going_on = ""
    for (start, end), best in zip(words, best_path(rows, np.where(may_follow, 0, -np.inf)), strict=True):
        begins, _, kind = names[best].partition("-")
        if begins == "B" or kind != going_on:
            going_on = ""
        if not kind or not any(map(str.isalnum, text[start:end])):
            continue
        if going_on:
            entities[-1] = (kind, entities[-1][1], end)
        else:
            entities.append((kind, start, end))
        going_on = kind
    return entities


@given(st.integers(1, 5), st.integers(0, 2**31))
def test_the_best_path_is_the_best_of_all_paths(count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(count, 4)).astype(np.float32)
    transitions = np.where(rng.random((4, 4)) < 0.3, -np.inf, 0).astype(np.float32)
    transitions[:, 0] = 0  # some path there always is

    def worth(path: tuple[int, ...]) -> float:
        steps = pairwise((0, *path))
        return float(sum(rows[at, label] for at, label in enumerate(path)) + sum(transitions[step] for step in steps))

    assert worth(tuple(best_path(rows, transitions))) == pytest.approx(max(map(worth, product(range(4), repeat=count))))


@given(TEXTS, st.integers(0, 2**31))
@settings(deadline=None)
def test_answer_is_cut_from_the_context(narrow_tokenizer: Tokenizer, manifest: Manifest, text: str, seed: int) -> None:
    reading = _read(narrow_tokenizer, Passage(text, "Where is it?"))
    if reading is None:
        return

    answer = find_answer(_encoded(reading, seed), manifest)

    assert answer.text == text[answer.start_char : answer.end_char]
    assert 0 <= answer.start_char < answer.end_char <= len(text)
    assert 0 <= answer.score <= 1


@pytest.mark.parametrize(("question", "most"), [("Where is it?", 26), (None, 24)])
@given(text=TEXTS)
@settings(deadline=None)
def test_windows_hold_every_token_and_never_too_many(
    narrow_tokenizer: Tokenizer, text: str, question: str | None, most: int
) -> None:
    reading = _read(narrow_tokenizer, Passage(text, question))
    if reading is None:
        return

    seen = {at for window in reading.windows for at in range(window.first, window.first + window.count)}
    assert seen == set(range(len(reading.starts)))
    assert all(len(window) == most for window in reading.windows[:-1])
    assert len(reading.windows[-1]) <= most
    assert all((window.token_type_ids < 8).all() for window in reading.windows)


@given(TEXTS)
@settings(deadline=None)
def test_token_spans_lie_inside_the_text(tokenizer: Tokenizer, text: str) -> None:
    reading = _read(tokenizer, Passage(text))
    if reading is None:
        return

    assert (reading.starts >= 0).all()
    assert (np.diff(reading.starts) >= 0).all()
    assert (reading.starts <= reading.ends).all()
    assert (reading.ends <= len(text)).all()


@given(TEXTS)
@settings(deadline=None)
def test_merged_logits_come_from_the_window_that_owns_the_token(narrow_tokenizer: Tokenizer, text: str) -> None:
    reading = _read(narrow_tokenizer, Passage(text))
    if reading is None:
        return
    # Every logit says which window and which token it belongs to.
    per_window = []
    for number, window in enumerate(reading.windows):
        rows = np.full((len(window), 2), -1, np.float32)
        rows[window.text_at : window.text_at + window.count, 0] = number
        rows[window.text_at : window.text_at + window.count, 1] = np.arange(window.first, window.first + window.count)
        per_window.append(rows)

    merged, owners = merge_windows(reading, per_window)

    assert (merged[:, 0] == owners).all()
    assert (merged[:, 1] == np.arange(len(owners))).all()


@given(st.integers(1, 5000), st.integers(2, 400), st.integers(0, 400))
def test_window_bounds_overlap_and_reach_the_end(tokens: int, room: int, stride: int) -> None:
    bounds = window_bounds(tokens, room, stride)

    assert bounds[0][0] == 0
    assert bounds[-1][1] == tokens
    assert all(0 < end - first <= room for first, end in bounds)
    shared = min(stride, room // 2)
    assert all(left[1] - right[0] == shared for left, right in pairwise(bounds))


@pytest.mark.parametrize(
    ("word", "case"),
    [("word", 0), ("42", 0), ("...", 0), ("Word", 1), ("A", 1), ("WORD", 2), ("iPhone", 3), ("McDonald", 3),
     ("東京", 0), ("Élan", 1), ("ÉLAN", 2), ("B2B", 2), ("B2", 1)],
)  # fmt: skip
def test_case_of_a_word(word: str, case: int) -> None:
    assert case_of(word) == case
