"""A dead letter is read from whatever headers there are, and gives the record back as it was."""

import pytest
from aiokafka.structs import ConsumerRecord

from deadletters.letters import Letter, Source, read_letter
from schemas import Topics, headers
from schemas.errors import EmptyText
from schemas.headers import ReplyHeaderNames
from tests.records import incoming
from worker.outputs import Outputs
from worker.records import Failed

NAMES = ReplyHeaderNames()
CALLERS = (
    ("tenant", b"7"),
    ("tenant", b"8"),
    ("empty", None),
    (NAMES.correlation_id, b"\x00\xff"),
    (headers.DEADLINE, b"1700000000000"),
    (headers.TRACEPARENT, b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
)


def letter_of(*found: tuple[str, bytes | None], timestamp: int = 1_700_000_000_000) -> Letter:
    record = ConsumerRecord("nlp.dead-letters", 3, 17, timestamp, 0, b"k", b"v", None, 1, 1, tuple(found))
    return read_letter(record)


def written_by_the_worker(*callers: tuple[str, bytes | None]) -> Letter:
    failed = Failed("id", EmptyText("text: holds no text"), "VALUE_CONVERTER")
    record = incoming(topic="nlp.ner.requests", partition=2, offset=40, headers=callers)
    output = Outputs(Topics(), NAMES, "minilm 1").dead_letter(record, failed)
    return letter_of(*output.headers)


def test_what_the_worker_writes_is_read() -> None:
    letter = written_by_the_worker(*CALLERS)

    assert (letter.position, letter.time) == ("3@17", "2023-11-14T22:13:20.000+00:00")
    assert letter.source == Source("nlp.ner.requests", 2, 40)
    assert (letter.code, letter.detail, letter.replays) == ("empty_text", "text: holds no text", 0)


def test_a_replay_has_the_callers_headers_and_a_count() -> None:
    letter = written_by_the_worker(*CALLERS)

    assert letter.headers_to_replay(None) == [*CALLERS, (headers.REPLAYS, b"1")]


def test_an_unattended_replay_has_no_reply_address_and_no_deadline() -> None:
    address = [(NAMES.correlation_id, b"1"), (NAMES.reply_topic, b"nlp.replies"), (NAMES.reply_partition, b"\0\0\0\1")]

    letter = written_by_the_worker(*address, (headers.DEADLINE, b"5"), ("tenant", b"7"))

    assert letter.headers_to_replay(NAMES) == [("tenant", b"7"), (headers.REPLAYS, b"1")]


def test_an_event_time_that_the_dead_letter_could_not_have_is_known() -> None:
    letter = letter_of((headers.EVENT_TIME, b"4000000000000"))

    assert letter.time_ms == 4_000_000_000_000
    assert letter.headers_to_replay(None) == [(headers.REPLAYS, b"1")]


def test_replays_are_counted_once() -> None:
    letter = written_by_the_worker((headers.REPLAYS, b"2"), ("tenant", b"7"))

    assert letter.replays == 2
    assert letter.headers_to_replay(None) == [("tenant", b"7"), (headers.REPLAYS, b"3")]


@pytest.mark.parametrize(
    "found",
    [
        (),
        ((headers.CONNECT_TOPIC, b"t"), (headers.CONNECT_PARTITION, b"-1"), (headers.CONNECT_OFFSET, b"0")),
        ((headers.CONNECT_TOPIC, b"t"), (headers.CONNECT_PARTITION, b"1"), (headers.CONNECT_OFFSET, b"9" * 99)),
        ((headers.CONNECT_TOPIC, None), (headers.CONNECT_PARTITION, b"1"), (headers.CONNECT_OFFSET, b"0")),
    ],
)
def test_headers_that_tell_nothing_are_no_source(found: tuple[tuple[str, bytes | None], ...]) -> None:
    letter = letter_of(*found, (headers.REPLAYS, b"many"), timestamp=-1)

    assert (letter.source, letter.code, letter.replays, letter.time) == (None, "unknown", 0, "")


def test_only_a_deadline_that_has_passed_has_expired() -> None:
    letter = letter_of((headers.DEADLINE, b"1000"))

    assert (letter.has_expired(1_000), letter.has_expired(1_001)) == (False, True)
    assert not letter_of().has_expired(1_001)
    assert not letter_of((headers.DEADLINE, b"soon")).has_expired(1_001)
