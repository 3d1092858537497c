"""Payloads that nobody should send and somebody will, each with the outcomes that are right for it."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass

from schemas import CONTRACTS, Contract, Topics
from schemas.document import DocumentRequest
from schemas.qa import QaRequest
from tests.integration.caller import Sending

_SEED = 20_260_720
_HUGE_BYTES = 1_050_000
_DEEP = 50_000
_ANSWERED = (None,)
_MALFORMED = ("malformed_record",)
_INVALID = ("invalid_field",)
_EMPTY = ("empty_text",)

Payload = tuple[bytes | None, tuple[str | None, ...]]
"""A value, and the error codes allowed for it; None stands for a result."""


@dataclass(frozen=True, slots=True)
class Fuzzed:
    """A record, and the error codes allowed for it; None stands for a result."""

    sending: Sending
    expected: tuple[str | None, ...]


def fuzzed(topics: Topics, count: int) -> list[Fuzzed]:
    """Return seeded records over all input topics, every kind of payload among them many times."""
    chance = random.Random(_SEED)
    return [_record(topics, number, chance) for number in range(count)]


def _record(topics: Topics, number: int, chance: random.Random) -> Fuzzed:
    contract = CONTRACTS[number % len(CONTRACTS)]
    value, expected = chance.choices(_KINDS, _WEIGHTS)[0](contract, chance)
    key = chance.choice([None, b"", b"\xff\x00", str(number % 5).encode()])
    noise = chance.choice([(), (("noise", bytes(chance.randbytes(8))),), (("nothing", None), ("nothing", b""))])
    return Fuzzed(Sending(contract.requests(topics), value, key, noise), expected)


def _fields(contract: Contract, text: str) -> dict[str, object]:
    if contract.request_type is QaRequest:
        return {"context": text, "question": "Who?"}
    return {"text": text}


def _json(fields: object) -> bytes:
    return json.dumps(fields, ensure_ascii=False).encode()


def _text(chance: random.Random) -> str:
    words = [
        "Paris",
        "naïve",
        "👩‍🚀",
        "שלום",
        "bad",
        "e\u0301",
        "日本",
        "<b>",
        "\u202e",
        "good",
        "\r\n",
        "U.S.",
        "\t",
        "Apple",
    ]
    return " ".join(["A", *chance.choices(words, k=chance.randrange(1, 12))])


def _valid(contract: Contract, chance: random.Random) -> Payload:
    return _json(_fields(contract, _text(chance))), _ANSWERED


def _valid_with_id(contract: Contract, chance: random.Random) -> Payload:
    return _json({**_fields(contract, _text(chance)), "id": f"id {chance.random()}"}), _ANSWERED


def _with_nul(contract: Contract, chance: random.Random) -> Payload:
    return json.dumps(_fields(contract, f"a\0b\x07{_text(chance)}")).encode(), _ANSWERED


def _bad_utf8(contract: Contract, chance: random.Random) -> Payload:
    value = bytearray(_json(_fields(contract, _text(chance))))
    value[len(value) // 2 : len(value) // 2] = chance.choice(
        [b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80"]
    )
    return bytes(value), _MALFORMED


def _noise(contract: Contract, chance: random.Random) -> Payload:
    return b"\x00" + chance.randbytes(chance.randrange(200)), _MALFORMED


def _cut_off(contract: Contract, chance: random.Random) -> Payload:
    value = _json(_fields(contract, _text(chance)))
    return value[: chance.randrange(len(value))], _MALFORMED


def _no_object(contract: Contract, chance: random.Random) -> Payload:
    return chance.choice([b"null", b"[]", b'"text"', b"3", b"true", b"{}{}", b"[{}]", b"NaN"]), _MALFORMED


def _wrong_type(contract: Contract, chance: random.Random) -> Payload:
    fields = _fields(contract, "x")
    wrong = chance.choice([5, None, True, [], {}, ["x"], 1.5, {"text": "x"}])
    return _json({**fields, chance.choice(list(fields)): wrong}), _INVALID


def _unknown_field(contract: Contract, chance: random.Random) -> Payload:
    return _json({**_fields(contract, "x"), chance.choice(["txt", "", "ID", "text ", "💥"]): "x"}), _INVALID


def _missing_field(contract: Contract, chance: random.Random) -> Payload:
    return chance.choice([b"{}", b'{"id": "lonely"}']), _INVALID


def _bad_id(contract: Contract, chance: random.Random) -> Payload:
    return _json({**_fields(contract, "x"), "id": chance.choice(["", "x" * 257, 7, ["x"]])}), _INVALID


def _null(contract: Contract, chance: random.Random) -> Payload:
    return None, _MALFORMED


def _no_bytes(contract: Contract, chance: random.Random) -> Payload:
    return b"", _MALFORMED


def _empty_text(contract: Contract, chance: random.Random) -> Payload:
    blank = chance.choice(["", " ", "\n\t", "\u3000", "\u200b", "\0", "\ufeff"])
    return json.dumps(_fields(contract, blank)).encode(), _EMPTY


def _huge(contract: Contract, chance: random.Random) -> Payload:
    return _json(_fields(contract, "x" * _HUGE_BYTES)), ("record_too_large",)


def _long(contract: Contract, chance: random.Random) -> Payload:
    return _json(_fields(contract, "x " * 50_001)), ("text_too_long",)


def _long_word(contract: Contract, chance: random.Random) -> Payload:
    return _json(_fields(contract, "x" * 99_000)), _ANSWERED


def _deep(contract: Contract, chance: random.Random) -> Payload:
    opening = chance.choice([b"[", b'{"text":'])
    return b'{"text":' + opening * _DEEP, _MALFORMED


def _deep_but_whole(contract: Contract, chance: random.Random) -> Payload:
    return b'{"text":' + b"[" * _DEEP + b"]" * _DEEP + b"}", ("malformed_record", "invalid_field")


def _lone_surrogate(contract: Contract, chance: random.Random) -> Payload:
    return json.dumps(_fields(contract, chance.choice(["\ud800", "x\udfff", "\udc00\ud800"]))).encode(), _MALFORMED


def _huge_number(contract: Contract, chance: random.Random) -> Payload:
    number = chance.choice([b"1e999", b"9" * 5_000, b"-0.0", b"NaN", b"Infinity"])
    return b'{"id":' + number + b"}", ("malformed_record", "invalid_field")


def _twice(contract: Contract, chance: random.Random) -> Payload:
    value = _json(_fields(contract, "first"))
    return value[:-1] + b", " + _json(_fields(contract, "second"))[1:], _ANSWERED


def _questions(contract: Contract, chance: random.Random) -> Payload:
    if contract.request_type is not DocumentRequest:
        return _valid(contract, chance)
    kinds: list[tuple[dict[str, object], tuple[str | None, ...]]] = [
        ({"questions": ["Who?"] * 17}, ("too_many_questions",)),
        ({"questions": [" "]}, _EMPTY),
        ({"questions": ["?" * 1_001]}, ("text_too_long",)),
        ({"questions": [None]}, _INVALID),
        ({"questions": ["Who?", "Where?"], "tasks": []}, _ANSWERED),
        ({"tasks": []}, _INVALID),
        ({"tasks": ["poetry"]}, _INVALID),
        ({"tasks": ["ner", "ner"]}, _ANSWERED),
    ]
    more, expected = chance.choice(kinds)
    return _json({"text": "Ada lives in Rome.", **more}), expected


_WEIGHED: dict[Callable[[Contract, random.Random], Payload], float] = {
    _valid: 20, _valid_with_id: 5, _with_nul: 5, _bad_utf8: 8, _noise: 8, _cut_off: 8, _no_object: 6, _wrong_type: 8,
    _unknown_field: 6, _missing_field: 4, _bad_id: 4, _null: 4, _no_bytes: 3, _empty_text: 5, _huge: 0.8, _long: 1,
    _long_word: 1, _deep: 1, _deep_but_whole: 1, _lone_surrogate: 4, _huge_number: 4, _twice: 3, _questions: 10,
}  # fmt: skip
_KINDS = list(_WEIGHED)
_WEIGHTS = list(_WEIGHED.values())
