"""Sources vary what is trained on, never what is scored."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from training.bundle import WINDOW
from training.data import LabelledText, Question, TaggedSentence
from training.sources import NerSource, QaSource, SentimentSource
from worker.tokenizer import Tokenizer

_TOKENIZER = Path(__file__).parents[3] / "models" / "minilm" / "tokenizer.json"
_PHRASES = [LabelledText("it 's dull", "negative"), LabelledText("a bright film", "positive")]
_SENTENCES = [
    TaggedSentence(("Ada", "met", name), ("B-PER", "O", "B-PER")) for name in ("Bob", "Eve", "Max", "Tom", "Ann")
]
_QUESTIONS = [
    Question("1", "Lamps", "The lamp is green.", "Which colour is the lamp?", ("green",), (12,)),
    Question("2", "Lamps", "The chair is red.", "Which colour is the chair?", ("red",), (13,)),
    Question("3", "Boats", "The boat is blue.", "Which colour is the boat?", ("blue",), (12,)),
]


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer(_TOKENIZER, WINDOW, 8)


def test_plain_rows_are_the_same_at_every_call(tokenizer: Tokenizer) -> None:
    source = SentimentSource(_PHRASES, tokenizer)

    first, second = ([row.window.input_ids.tolist() for row in source.rows([0, 1], None)] for _ in range(2))

    assert first == second


def test_varied_rows_follow_the_generator(tokenizer: Tokenizer) -> None:
    source = SentimentSource(_PHRASES, tokenizer)

    rows = [source.rows([0] * 20, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    types = [[row.window.token_type_ids.tolist() for row in each] for each in rows]

    assert types[0] == types[1] != types[2]
    assert {row.target.tolist()[0] for row in rows[0]} == {0}


def test_varied_sentences_go_on_with_those_that_follow(tokenizer: Tokenizer) -> None:
    source = NerSource(_SENTENCES, tokenizer)

    steps = [source.rows([0] * 4, np.random.default_rng(seed)) for seed in range(40)]
    lengths = [{len(row.window) for row in rows} for rows in steps]

    assert all(len(each) == 1 for each in lengths)  # a step's texts are of the same number of sentences
    assert set.union(*lengths) == {5, 8, 14}  # one, two and four sentences of three tokens, [CLS] and [SEP]
    assert {len(row.window) for row in source.rows([0, 4], None)} == {5}


def test_some_questions_are_put_to_another_paragraph_of_their_article(tokenizer: Tokenizer) -> None:
    source = QaSource(_QUESTIONS, tokenizer)

    rows = source.rows([0] * 400, np.random.default_rng(0))
    unanswerable = [row for row in rows if row.target.tolist() == [0, 0]]

    assert 10 <= len(unanswerable) <= 60  # 10 % of 400, some of them drawn with their own paragraph
    assert len({row.window.input_ids.tobytes() for row in unanswerable}) == 1  # never the boat: another article


def test_a_question_without_another_paragraph_keeps_its_own(tokenizer: Tokenizer) -> None:
    source = QaSource(_QUESTIONS, tokenizer)

    rows = source.rows([2] * 200, np.random.default_rng(0))

    assert all(row.target.tolist() != [0, 0] for row in rows)


def test_a_fraction_of_the_questions_asks_what_their_paragraph_does_not_tell(tokenizer: Tokenizer) -> None:
    question = replace(_QUESTIONS[2], question="What was the first colour of the boat?")
    as_it_is, altered = (QaSource([question], tokenizer, share) for share in (0.0, 0.3))

    rows = altered.rows([0] * 400, np.random.default_rng(0))
    unanswerable = [row for row in rows if not row.target.any()]

    assert all(row.target.any() for row in as_it_is.rows([0] * 400, np.random.default_rng(0)))
    assert 60 <= len(unanswerable) <= 140  # 30 % of 400, less those for which no change was drawn
    assert len({row.window.input_ids.tobytes() for row in unanswerable}) >= 3  # the last colour; wasn't; was not
    assert len(altered.rows([0], None)) == 1
    assert altered.rows([0], None)[0].target.any()  # scored as it is


def test_a_question_is_put_to_one_window_most_often_with_the_answer() -> None:
    narrow = Tokenizer(_TOKENIZER, WINDOW.model_copy(update={"tokens": 16, "stride": 3, "question_tokens": 8}), 8)
    context = (
        "A house, a river, two trees, a stone, bread, water, three dogs and seven cats are white; that hill is green."
    )
    question = Question("1", "t", context, "Which colour?", ("green",), (context.index("green"),))
    source = QaSource([question], narrow)

    rows = source.rows([0] * 200, np.random.default_rng(0))
    beside = [row for row in rows if not row.target.any()]

    assert len(rows) == 200
    assert 10 <= len(beside) <= 60  # 15 % of 200
    assert len({row.window.input_ids.tobytes() for row in beside}) > 1
    assert len(source.rows([0], None)) > 2  # all of them where it is scored


def test_some_steps_read_texts_of_several_phrases_of_one_label(tokenizer: Tokenizer) -> None:
    source = SentimentSource(_PHRASES, tokenizer)

    steps = [source.rows([0] * 6 + [1] * 6, np.random.default_rng(seed)) for seed in range(100)]
    together = [rows for rows in steps if len(rows) == 4]

    assert {len(rows) for rows in steps} == {4, 12}
    assert 3 <= len(together) <= 20  # 10 % of 100
    assert all(sorted(row.target.item() for row in rows) == [0, 0, 1, 1] for rows in together)
    assert all(len(row.window) > 12 for rows in together for row in rows)
