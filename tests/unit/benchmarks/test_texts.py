"""The benchmark's texts: the same every time, of all lengths, no two alike."""

import hashlib
from statistics import median

from benchmarks.texts import FEWEST_WORDS, MEDIAN_WORDS, MOST_WORDS, draw_texts

DIGEST = "dba4cf70a261845bc36151452763fa26c89035d9aae7865b94780aa6b8deeb88"
"""Of the first 200 texts: figures of different texts cannot be compared, so changing them must be meant."""


def _lengths(texts: list[str]) -> list[int]:
    return [len(text.split()) for text in texts]


def test_texts_are_those_that_earlier_figures_were_measured_with() -> None:
    digest = hashlib.sha256("\0".join(draw_texts(200)).encode()).hexdigest()

    assert digest == DIGEST


def test_a_longer_list_begins_with_the_shorter_one() -> None:
    assert draw_texts(80)[:30] == draw_texts(30)


def test_another_seed_gives_other_texts() -> None:
    assert not set(draw_texts(50, seed=4)) & set(draw_texts(50, seed=5))


def test_no_text_is_computed_twice() -> None:
    texts = draw_texts(1_500)

    assert len(set(texts)) == 1_500


def test_lengths_spread_from_tweets_to_pages() -> None:
    lengths = _lengths(draw_texts(1_500))

    assert min(lengths) >= FEWEST_WORDS
    assert min(lengths) < 2 * FEWEST_WORDS
    assert MEDIAN_WORDS < median(lengths) < 2 * MEDIAN_WORDS
    assert 400 < max(lengths) < MOST_WORDS + 50
    assert sum(length > 100 for length in lengths) > len(lengths) // 20
