"""What is held out of the training files: whole articles, and sentences with all their pieces."""

from training.data import LabelledText, Question
from training.splits import halve_articles, hold_out_articles, hold_out_sentences


def _questions(articles: int) -> list[Question]:
    return [
        Question(f"{article}-{number}", f"Article {article}", "A text.", "What?", ("text",), (2,))
        for article in range(articles)
        for number in range(3)
    ]


def _sentences(count: int) -> list[LabelledText]:
    names = (f"film number {number} is a very quiet film ." for number in range(count))
    return [LabelledText(name, "positive") for name in names]


def test_articles_are_held_out_whole() -> None:
    kept, held = hold_out_articles(_questions(40))

    assert len({question.title for question in held}) == 2
    assert not {question.title for question in held} & {question.title for question in kept}
    assert len(kept) + len(held) == 120


def test_held_out_articles_do_not_depend_on_the_order() -> None:
    questions = _questions(40)

    _, held = hold_out_articles(questions)
    _, again = hold_out_articles(questions[::-1])

    assert {question.id for question in again} == {question.id for question in held}


def test_one_article_is_trained_on() -> None:
    assert hold_out_articles(_questions(1)) == (_questions(1), [])


def test_articles_are_halved_whole() -> None:
    half, rest = halve_articles(_questions(40))

    titles, others = {question.title for question in half}, {question.title for question in rest}
    assert len(titles) == len(others)
    assert not titles & others
    assert len(half) + len(rest) == len(_questions(40))


def test_only_whole_sentences_are_held_out() -> None:
    pieces = [LabelledText(text, "negative") for text in ("is a very quiet film .", "quiet film .", "no mark at all")]

    _, held = hold_out_sentences(pieces + _sentences(100))

    assert len(held) == 8
    assert {row.text for row in held} <= {row.text for row in _sentences(100)}


def test_pieces_of_a_held_out_sentence_are_not_trained_on() -> None:
    _, held = hold_out_sentences(_sentences(40))
    telling = LabelledText(" ".join(held[0].text.split(" ")[:4]), "positive")  # "film number 7 is"
    short = LabelledText("quiet film", "positive")

    kept, again = hold_out_sentences([telling, short, *_sentences(40)])

    assert again == held
    assert telling not in kept
    assert short in kept


def test_held_out_sentence_that_stands_twice_is_held_out_once() -> None:
    _, held = hold_out_sentences(_sentences(40))

    kept, again = hold_out_sentences([*_sentences(40), LabelledText(held[0].text, "negative")])

    assert again == held
    assert held[0].text not in {row.text for row in kept}
