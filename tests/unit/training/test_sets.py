"""Labelled sets: entities mapped back on words, and what counts as right where a score is judged."""

from schemas import Entity, NerResult, QaRequest, QaResult, Record, SentimentResult
from schemas.ner import EntityType
from training.data import LabelledText, Question, TaggedSentence
from training.sets import EntitySet, QuestionSet, SentimentSet, entities_of, spaced, tags_of, word_spans


def _entity(text: str, kind: EntityType, start: int, score: float = 0.9) -> Entity:
    return Entity(text=text, type=kind, start_char=start, end_char=start + len(text), score=score)


def _answer(answer: str, score: float) -> Record:
    return QaResult(id="x", answer=answer, start_char=0, end_char=1, score=score)


def test_entity_tags_all_its_words() -> None:
    words = ["Ada", "Lovelace", "met", "IBM", "."]

    tags = tags_of(words, [_entity("Ada Lovelace", "PER", 0), _entity("IBM", "ORG", 17)])

    assert tags == ["B-PER", "I-PER", "O", "B-ORG", "O"]


def test_neighbouring_entities_of_a_type_stay_two() -> None:
    assert tags_of(["Oslo", "Bergen"], [_entity("Oslo", "LOC", 0), _entity("Bergen", "LOC", 5)]) == ["B-LOC", "B-LOC"]


def test_entity_in_a_part_of_a_word_tags_the_word() -> None:
    assert tags_of(["Oslo-based", "firm"], [_entity("Oslo", "LOC", 0)]) == ["B-LOC", "O"]


def test_shared_word_belongs_to_the_first_entity() -> None:
    tags = tags_of(["Paris/Rome", "line"], [_entity("Paris", "LOC", 0), _entity("Rome line", "MISC", 6)])

    assert tags == ["B-LOC", "B-MISC"]


def test_words_joined_by_a_space_stand_where_their_spans_say() -> None:
    words = ("Oslo", ",", "b", "ü")

    assert [" ".join(words)[start:end] for start, end in word_spans(words)] == list(words)


def test_tags_are_read_as_entities() -> None:
    tags = ["B-PER", "I-PER", "O", "B-LOC", "B-LOC", "I-LOC"]

    assert entities_of(tags) == [(0, 1, "PER"), (3, 3, "LOC"), (4, 5, "LOC")]


def test_entity_is_right_when_words_and_type_are() -> None:
    sentence = TaggedSentence(("Ada", "Lovelace", "met", "IBM"), ("B-PER", "I-PER", "O", "B-ORG"))
    labelled = EntitySet("one", spaced([sentence]))
    found = [_entity("Ada", "PER", 0, 0.5), _entity("Lovelace", "PER", 4, 0.6), _entity("IBM", "ORG", 17, 0.7)]
    wrong_type = [_entity("Ada Lovelace", "PER", 0, 0.8), _entity("IBM", "LOC", 17, 0.9)]

    first = labelled.judge([NerResult(id="x", text="", entities=found)])
    second = labelled.judge([NerResult(id="x", text="", entities=wrong_type)])

    assert (first.scores.tolist(), first.right.tolist()) == ([0.5, 0.6, 0.7], [False, False, True])
    assert (second.scores.tolist(), second.right.tolist()) == ([0.8, 0.9], [True, False])


def test_answer_is_right_when_half_of_its_words_are() -> None:
    golds = ("Santa Clara", "Levi's Stadium in Santa Clara")
    labelled = QuestionSet("four", [Question("1", "t", "A text.", "Where?", golds, (0, 0))] * 4)
    answers = ["the Santa Clara", "Santa Clara, California, USA, today", "Denver", "Santa Maria"]

    judged = labelled.judge([_answer(answer, 0.5) for answer in answers])

    # F1: 1; 2 * 2 / (5 + 2) with the first, 4 / (5 + 5) with the second; 0; 2 * 1 / (2 + 2)
    assert judged.right.tolist() == [True, True, False, True]


def test_no_answer_to_an_unanswerable_question_is_right() -> None:
    labelled = QuestionSet("one", [Question("1", "t", "A text.", "Where?", (), ())])

    assert not labelled.judge([_answer("text", 0.5)]).right.any()


def test_articles_that_fitted_the_temperature_are_scored_and_not_judged() -> None:
    questions = [Question(str(n), title, "A text.", "What?", ("text",), (2,)) for n, title in enumerate("abb")]
    labelled = QuestionSet("three", questions, judged=frozenset("b"))
    answers = [_answer(answer, 0.5) for answer in ("text", "text", "other")]

    assert labelled.judge(answers).right.tolist() == [True, False]
    assert labelled.metrics(answers)["qa_em"] == 2 / 3


def test_sets_ask_one_request_an_example_and_score_in_order() -> None:
    sentiment = SentimentSet("two", [LabelledText("fine", "positive"), LabelledText("poor", "negative")])
    results = [SentimentResult(id=str(n), text="", sentiment="positive", score=0.8) for n in range(2)]
    questions = QuestionSet("one", [Question("1", "t", "It is red.", "Which colour?", ("red",), (6,))])

    assert sentiment.metrics(results) == {"sentiment_accuracy": 0.5}
    assert sentiment.judge(results).right.tolist() == [True, False]
    assert questions.requests == [QaRequest(context="It is red.", question="Which colour?")]
    assert questions.metrics([_answer("the red", 0.5)]) == {"qa_em": 1.0, "qa_f1": 1.0}
