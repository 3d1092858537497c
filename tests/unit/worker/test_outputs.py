"""The event time goes through, unless topics would refuse it: then it is told in a header."""

import time

import pytest

from schemas import Topics, headers
from schemas.errors import EmptyText
from schemas.headers import ReplyHeaderNames
from tests.records import incoming
from worker.outputs import DEAD_LETTER, MAX_AHEAD_MS, RESULT, Output, Outputs
from worker.records import Answered, Failed, Outcome

OUTCOMES: dict[str, Outcome] = {
    RESULT: Answered("id", b"{}"),
    DEAD_LETTER: Failed("id", EmptyText("text: holds no text"), "VALUE_CONVERTER"),
}


def output_of(kind: str, timestamp_ms: int, *callers: tuple[str, bytes | None]) -> Output:
    record = incoming(timestamp_ms=timestamp_ms, headers=callers)
    (output,) = Outputs(Topics(), ReplyHeaderNames(), "minilm 1").of(record, OUTCOMES[kind])
    assert output.kind == kind
    return output


def now_ms() -> int:
    return round(1_000 * time.time())


@pytest.mark.parametrize("kind", OUTCOMES)
def test_an_event_time_that_topics_take_goes_through(kind: str) -> None:
    for event_ms in (0, 1_700_000_000_000, now_ms() + MAX_AHEAD_MS - 1_000):
        output = output_of(kind, event_ms)

        assert output.timestamp_ms == event_ms
        assert headers.first(output.headers, headers.EVENT_TIME) is None


@pytest.mark.parametrize("kind", OUTCOMES)
def test_an_event_time_too_far_ahead_is_told_in_a_header(kind: str) -> None:
    event_ms = now_ms() + MAX_AHEAD_MS + 60_000

    output = output_of(kind, event_ms)

    assert output.timestamp_ms is None
    assert headers.first(output.headers, headers.EVENT_TIME) == str(event_ms).encode()


def test_a_record_without_an_event_time_gets_none() -> None:
    output = output_of(RESULT, -1)

    assert output.timestamp_ms is None
    assert headers.first(output.headers, headers.EVENT_TIME) is None


def test_a_caller_cannot_tell_another_event_time() -> None:
    output = output_of(RESULT, 5, (headers.EVENT_TIME, b"7"))

    assert headers.first(output.headers, headers.EVENT_TIME) is None
