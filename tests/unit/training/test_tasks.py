"""Losses and metrics against known outputs."""

import math

import pytest
import torch
from pytest import approx

from training.tasks import HEAD_TYPES, IGNORED, Head, NerHead, QaHead, SentimentHead
from training.tasks.ner import entity_f1
from training.tasks.qa import exact_match_and_f1, word_f1
from training.tasks.sentiment import accuracy
from worker.bundle import HEADS

_HIDDEN = 16


@pytest.mark.parametrize(
    ("head_type", "shape"),
    [(SentimentHead, (2, 2)), (NerHead, (2, 5, 9)), (QaHead, (2, 5, 2))],
    ids=lambda value: str(value),
)
def test_head_returns_its_logits(head_type: type[Head], shape: tuple[int, ...]) -> None:
    head = head_type(_HIDDEN)

    assert head(torch.zeros(2, 5, _HIDDEN)).shape == shape


def test_heads_are_those_the_worker_decodes() -> None:
    assert {head.name: len(head.labels) for head in HEAD_TYPES} == HEADS


def test_sentiment_reads_the_first_token_only() -> None:
    head = SentimentHead(_HIDDEN)
    states = torch.randn(1, 4, _HIDDEN)
    changed = states.clone()
    changed[:, 1:] = 0

    assert torch.equal(head(states), head(changed))


def test_sentiment_loss_of_even_logits_is_log_two() -> None:
    loss = SentimentHead(_HIDDEN).loss(torch.zeros(3, 2), torch.tensor([[0], [1], [1]]))

    assert loss.item() == approx(math.log(2))


def test_ner_loss_skips_ignored_tokens() -> None:
    logits = torch.zeros(1, 3, 9)
    logits[0, 1] = 100 * torch.randn(9)  # would count, were it not ignored

    loss = NerHead(_HIDDEN).loss(logits, torch.tensor([[0, IGNORED, 3]]))

    assert loss.item() == approx(math.log(9))


def test_qa_loss_is_the_mean_over_start_and_end() -> None:
    logits = torch.zeros(1, 4, 2)
    logits[0, 2, 0] = 50.0  # the start is certain and right, the end open among four tokens

    loss = QaHead(_HIDDEN).loss(logits, torch.tensor([[2, 3]]))

    assert loss.item() == approx(math.log(4) / 2)


def test_accuracy_counts_equal_labels() -> None:
    assert accuracy(["positive", "negative", "positive"], ["positive", "positive", "positive"]) == {
        "sentiment_accuracy": approx(2 / 3)
    }


def test_entity_f1_equals_seqevals_documented_example() -> None:
    # https://github.com/chakki-works/seqeval#usage
    gold = [["O", "O", "O", "B-MISC", "I-MISC", "I-MISC", "O"], ["B-PER", "I-PER", "O"]]
    predicted = [["O", "O", "B-MISC", "I-MISC", "I-MISC", "I-MISC", "O"], ["B-PER", "I-PER", "O"]]

    assert entity_f1(predicted, gold) == {"ner_f1": approx(0.5)}


def test_entity_f1_wants_the_type_right() -> None:
    assert entity_f1([["B-ORG", "O"]], [["B-LOC", "O"]]) == {"ner_f1": 0.0}


@pytest.mark.parametrize(
    ("gold", "predicted", "f1"),
    [
        # correct, predicted and gold phrases as conlleval.pl counts them, and 2 * correct / (predicted + gold)
        ("B-PER I-PER O B-LOC", "B-PER I-PER O B-LOC", 1.0),  # 2, 2, 2
        ("B-PER I-PER O B-LOC", "B-PER O O B-LOC", 0.5),  # 1, 2, 2: half a name is none
        ("B-PER I-PER O B-LOC", "B-PER I-PER I-PER B-LOC", 0.5),  # 1, 2, 2: nor is more than a name
        ("B-PER I-PER O B-LOC", "O O O B-LOC", 2 / 3),  # 1, 1, 2
        ("O O O B-LOC", "B-PER O O B-LOC", 2 / 3),  # 1, 2, 1
        ("B-ORG I-ORG I-ORG", "B-ORG I-ORG B-LOC", 0.0),  # 0, 2, 1
        ("B-LOC B-LOC I-LOC O", "B-LOC B-LOC I-LOC O", 1.0),  # 2, 2, 2: a B- parts neighbours
        ("B-LOC B-LOC I-LOC O", "B-LOC B-LOC O O", 0.5),  # 1, 2, 2
    ],
)
def test_entity_f1_counts_phrases_as_conlleval_does(gold: str, predicted: str, f1: float) -> None:
    assert entity_f1([predicted.split()], [gold.split()]) == {"ner_f1": approx(f1)}


def test_entity_f1_is_of_all_phrases_together_and_not_a_mean_of_sentences_or_types() -> None:
    golds = [["B-PER"], ["B-LOC", "B-LOC", "B-LOC"]]
    predicted = [["B-PER"], ["B-LOC", "O", "O"]]

    # 2 correct, 2 predicted, 4 gold: 2 / 3; the mean of the sentences, and of the types, would be (1 + 1 / 2) / 2
    assert entity_f1(predicted, golds) == {"ner_f1": approx(2 / 3)}


def test_entity_f1_tells_two_neighbours_from_one_entity() -> None:
    assert entity_f1([["B-LOC", "I-LOC"]], [["B-LOC", "B-LOC"]]) == {"ner_f1": 0.0}


def test_word_f1_counts_shared_words_as_multisets() -> None:
    assert word_f1("gold gold medal", "gold medal") == approx(2 * (2 / 3) * 1 / (2 / 3 + 1))
    assert word_f1("silver", "gold") == 0.0


def test_answer_of_an_article_alone_matches_exactly_and_shares_no_word() -> None:
    # evaluate-v1.1.py: equal strings are an exact match, and F1 is 0 where no word is shared.
    assert exact_match_and_f1(["the"], [["a"]]) == {"qa_em": 1.0, "qa_f1": 0.0}


@pytest.mark.parametrize(
    ("found", "gold", "f1"),
    [
        ("Denver Broncos", "the Denver Broncos", 1.0),
        ("Broncos Denver", "Denver Broncos", 1.0),  # the order does not count
        ("Denver Broncos won", "Denver Broncos", 0.8),  # precision 2/3, recall 1
        ("Denver", "Denver Broncos", 2 / 3),  # precision 1, recall 1/2
        ("Denver Denver", "Denver Broncos", 0.5),  # a word counts as often as in both
        ("", "Denver", 0.0),
    ],
)
def test_word_f1_follows_the_official_script(found: str, gold: str, f1: float) -> None:
    assert word_f1(found, gold) == approx(f1)


def test_squad_scores_take_the_best_gold_answer() -> None:
    predictions = ["Denver Broncos", "the Levi's Stadium in Santa Clara"]
    golds = [["Carolina Panthers", "the Denver Broncos"], ["Levi's Stadium", "Santa Clara, California"]]

    scores = exact_match_and_f1(predictions, golds)

    # the second answer: levis stadium in santa clara (5 words) against levis stadium (2): F1 4/7
    assert scores == {"qa_em": 0.5, "qa_f1": approx((1 + 4 / 7) / 2)}
