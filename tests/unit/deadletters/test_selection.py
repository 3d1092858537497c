"""A selection takes what is asked for, and reads no more of the topic than it must."""

import pytest

from deadletters.letters import Letter, Source
from deadletters.selection import Positions, Selection, parse_positions


def letter(
    code: str = "expired", topic: str = "nlp.documents", partition: int = 0, offset: int = 0, *, is_ours: bool = True
) -> Letter:
    source = Source(topic, 0, 0) if is_ours else None
    return Letter(partition, offset, 0, source, code, "", 0, None, None, ())


@pytest.mark.parametrize(
    ("text", "positions"),
    [("3@17", Positions(3, 17, 17)), ("3@17-40", Positions(3, 17, 40)), ("3@17-", Positions(3, 17, None))],
)
def test_positions_are_read(text: str, positions: Positions) -> None:
    assert parse_positions(text) == positions
    assert str(positions) == text


@pytest.mark.parametrize("text", ["", "17", "3@", "@17", "3@17-4", "3@-", "3@a", "3@17-40-", "-3@17", "3@17 "])
def test_anything_else_is_no_position(text: str) -> None:
    with pytest.raises(ValueError, match=r"not of the form|ends before"):
        parse_positions(text)


def test_an_empty_selection_takes_everything() -> None:
    assert Selection().takes(letter())
    assert Selection().takes(letter(is_ours=False))


def test_of_several_values_one_is_enough_and_of_several_parts_all_are_needed() -> None:
    selection = Selection(codes=["expired", "internal_error"], sources=["nlp.documents"])

    assert selection.takes(letter("expired"))
    assert selection.takes(letter("internal_error"))
    assert not selection.takes(letter("malformed_record"))
    assert not selection.takes(letter("expired", "nlp.ner.requests"))
    assert not selection.takes(letter("expired", is_ours=False))


def test_positions_take_what_stands_there() -> None:
    selection = Selection(positions=[Positions(1, 5, 6), Positions(2, 9, None)])

    taken = [(p, o) for p in range(4) for o in range(12) if selection.takes(letter(partition=p, offset=o))]

    assert taken == [(1, 5), (1, 6), (2, 9), (2, 10), (2, 11)]


@pytest.mark.parametrize(
    ("positions", "expected"),
    [
        ([], range(10, 100)),
        ([Positions(1, 20, 20)], range(20, 21)),
        ([Positions(1, 20, 30), Positions(1, 50, 60)], range(20, 61)),
        ([Positions(1, 0, None)], range(10, 100)),
        ([Positions(1, 90, 500)], range(90, 100)),
        ([Positions(2, 20, 30)], range(0)),
        ([Positions(1, 100, None)], range(100, 100)),
        ([Positions(1, 0, 9)], range(10, 10)),
    ],
)
def test_only_what_may_be_taken_is_read(positions: list[Positions], expected: range) -> None:
    assert Selection(positions=positions).range_of(1, 10, 100) == expected
