"""How far two lists of results agree."""

from schemas import Entity, NerResult, QaResult, SentimentResult
from training.independence import Agreement, compare


def _sentiment(label: str, score: float) -> SentimentResult:
    return SentimentResult.model_validate({"id": "x", "text": "", "sentiment": label, "score": score})


def _entities(*found: tuple[int, float]) -> NerResult:
    entities = [Entity(text="A", type="PER", start_char=at, end_char=at + 1, score=score) for at, score in found]
    return NerResult(id="x", text="", entities=entities)


def test_same_answers_agree() -> None:
    assert compare([_sentiment("positive", 0.9)], [_sentiment("positive", 0.9)]) == Agreement(1, 1, 1, 0.0)


def test_another_label_is_another_answer() -> None:
    agreement = compare(
        [_sentiment("positive", 0.51)] * 2, [_sentiment("negative", 0.51), _sentiment("positive", 0.51)]
    )

    assert (agreement.same, agreement.share) == (1, 0.5)


def test_score_past_the_tolerance_counts_against_the_share() -> None:
    agreement = compare(
        [_sentiment("positive", 0.90)] * 2, [_sentiment("positive", 0.92), _sentiment("positive", 0.91)]
    )

    assert (agreement.same, agreement.close, agreement.share) == (2, 1, 0.5)
    assert round(agreement.largest, 6) == 0.02


def test_another_entity_is_another_answer_and_the_worst_score_counts() -> None:
    one = [_entities((0, 0.9), (4, 0.9)), _entities((0, 0.9)), _entities()]
    other = [_entities((0, 0.9), (4, 0.8)), _entities((1, 0.9)), _entities()]

    agreement = compare(one, other)

    assert (agreement.texts, agreement.same, agreement.close) == (3, 2, 1)


def test_another_span_is_another_answer() -> None:
    answers = [QaResult(id="x", answer="a", start_char=at, end_char=9, score=0.5) for at in (0, 1)]

    assert compare(answers[:1], answers[1:]).same == 0
