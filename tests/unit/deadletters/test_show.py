"""What a terminal gets to see holds nothing that could command it, and JSON holds every byte."""

import base64
import json
from dataclasses import replace

from deadletters import show
from deadletters.letters import Letter, Source
from deadletters.replay import Replay

LETTER = Letter(3, 17, 1_000, Source("nlp.documents", 5, 40), "internal_error", "why", 1, b"k\xff", b'{"a":1}', ())


def test_a_row_tells_where_what_and_why_and_never_the_text() -> None:
    row = show.row(LETTER)

    for cell in ("3@17", "1970-01-01T00:00:01.000+00:00", "nlp.documents[5]@40", "internal_error", "why"):
        assert cell in row
    assert '{"a":1}' not in row


def test_terminal_commands_are_written_out() -> None:
    nasty = replace(LETTER, detail="a\x1b[2J\nb", value=b"x\x1b]0;y\x07\nz\xff", headers=(("h\x1b", b"\x9b1m"),))

    shown = show.row(nasty) + show.whole(nasty) + show.replay_line(Replay(nasty, "", None, (), "\x1b"), None)

    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert "\x9b" not in shown
    assert len(show.row(nasty).splitlines()) == 1
    assert show.whole(nasty).endswith("value\nx\\x1b]0;y\\x07\nz\\xff")


def test_no_value_and_an_empty_one_are_not_the_same() -> None:
    assert show.whole(replace(LETTER, value=None)).endswith("value\n(null)")
    assert show.whole(replace(LETTER, value=b"")).endswith("value\n")


def test_json_keeps_every_byte() -> None:
    whole = replace(LETTER, headers=(("h", b"\x00\xff"), ("n", None)), value=b"\xfe")

    told = json.loads(show.as_json(whole, is_whole=True))

    assert base64.b64decode(told["value"]) == b"\xfe"
    assert base64.b64decode(told["key"]) == b"k\xff"
    assert told["headers"] == [["h", base64.b64encode(b"\x00\xff").decode()], ["n", None]]
    assert (told["position"], told["topic"], told["offset"], told["replays"]) == ("3@17", "nlp.documents", 40, 1)


def test_json_of_a_list_leaves_the_text_out() -> None:
    assert {"value", "headers"}.isdisjoint(json.loads(show.as_json(LETTER)))


def test_a_letter_of_unknown_source_is_shown() -> None:
    unknown = replace(LETTER, source=None)

    assert "unknown" in show.row(unknown)
    assert json.loads(show.as_json(unknown))["topic"] is None


def test_a_replay_says_where_the_record_went() -> None:
    replay = Replay(LETTER, "nlp.documents", 5, ())

    assert show.replay_line(replay, None).endswith("→ nlp.documents[5], replay 2")
    assert show.replay_line(replay, Source("nlp.documents", 5, 99)).endswith("→ nlp.documents[5]@99, replay 2")
    assert json.loads(show.replay_as_json(replay, Source("nlp.documents", 5, 99)))["sent_to"] == "nlp.documents[5]@99"
    assert json.loads(show.replay_as_json(replace(replay, skipped="no"), None))["skipped"] == "no"
