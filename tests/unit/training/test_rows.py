"""Targets stand at the tokens they speak of, in every window."""

from pathlib import Path

import numpy as np
import pytest
import torch

from training.bundle import WINDOW
from training.data import LabelledText, Question, TaggedSentence
from training.rows import collate, ner_rows, qa_rows, sentiment_rows
from training.tasks import IGNORED, NerHead
from training.variety import spaced
from worker.tokenizer import Tokenizer

_TOKENIZER = Path(__file__).parents[3] / "models" / "minilm" / "tokenizer.json"


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer(_TOKENIZER, WINDOW, 8)


def _labels(target: np.ndarray) -> list[str]:
    return ["-" if number == IGNORED else NerHead.labels[number] for number in target]


def test_sentiment_row_has_the_number_of_its_label(tokenizer: Tokenizer) -> None:
    rows = sentiment_rows([LabelledText("dull", "negative"), LabelledText("bright", "positive")], tokenizer)

    assert [row.target.tolist() for row in rows] == [[0], [1]]


def test_first_piece_of_a_word_carries_its_label(tokenizer: Tokenizer) -> None:
    sentence = TaggedSentence(("Lovelace", "met", "Babbage"), ("B-PER", "O", "B-PER"))

    row = ner_rows([spaced([sentence])], tokenizer)[0]

    # [CLS] love ##lace met bab ##ba ##ge [SEP]
    assert _labels(row.target) == ["-", "B-PER", "-", "O", "B-PER", "-", "-", "-"]


def test_parts_of_a_tagged_word_continue_its_entity(tokenizer: Tokenizer) -> None:
    sentence = TaggedSentence(("in", "Oslo/Bergen"), ("O", "B-LOC"))

    row = ner_rows([spaced([sentence])], tokenizer)[0]

    # [CLS] in oslo / bergen [SEP]
    assert _labels(row.target) == ["-", "O", "B-LOC", "I-LOC", "I-LOC", "-"]


def test_answer_is_pointed_at_by_its_first_and_last_token(tokenizer: Tokenizer) -> None:
    context = "The lamp stands on the old oak table."
    question = Question("1", "t", context, "Where is the lamp?", ("the old oak table",), (19,))

    row = qa_rows([question], tokenizer)[0][0]

    # [CLS] where is the lamp ? [SEP] the lamp stands on the old oak table . [SEP]
    assert row.target.tolist() == [11, 14]


def test_windows_without_the_answer_point_to_cls() -> None:
    narrow = Tokenizer(_TOKENIZER, WINDOW.model_copy(update={"tokens": 24, "stride": 4, "question_tokens": 8}), 8)
    context = "one two three four five six seven eight nine ten " * 4 + "green."
    question = Question("1", "t", context, "Which colour?", ("green",), (context.index("green"),))

    rows = qa_rows([question], narrow)[0]

    assert len(rows) > 2
    assert all(row.target.tolist() == [0, 0] for row in rows[:-1])
    start, end = rows[-1].target.tolist()
    assert start == end == len(rows[-1].window) - 3  # before the full stop and [SEP]


def test_batch_pads_inputs_with_zeros_and_targets_with_ignored(tokenizer: Tokenizer) -> None:
    sentences = [TaggedSentence(("Ada",), ("B-PER",)), TaggedSentence(("in", "old", "Oslo"), ("O", "O", "B-LOC"))]

    batch = collate("ner", ner_rows([spaced([sentence]) for sentence in sentences], tokenizer), "cpu")

    assert batch.input_ids.shape == batch.token_type_ids.shape == batch.targets.shape == (2, 8)
    assert batch.attention_mask.sum(1).tolist() == [3, 5]
    assert batch.input_ids[0, 3:].tolist() == [0] * 5
    assert batch.targets[0, 2:].tolist() == [IGNORED] * 6
    assert batch.targets.dtype == torch.int64


def test_targets_of_whole_rows_are_not_padded(tokenizer: Tokenizer) -> None:
    batch = collate("sentiment", sentiment_rows([LabelledText("dull", "negative")], tokenizer), "cpu")

    assert batch.targets.tolist() == [[0]]
    assert batch.input_ids.shape == (1, 8)
