import pytest

from schemas import headers
from schemas.errors import InvalidHeader, TextTooLong
from schemas.headers import ReplyHeaderNames, ReplyTo

NAMES = ReplyHeaderNames()


def test_reply_address_is_read_in_springs_encoding() -> None:
    received = [
        ("kafka_correlationId", b"\x00\xff"),
        ("kafka_replyTopic", b"nlp.replies"),
        ("kafka_replyPartition", b"\x00\x00\x01\x02"),
    ]

    reply_to = headers.read_reply_to(received, NAMES)

    assert reply_to == ReplyTo("nlp.replies", 258, b"\x00\xff")


def test_partition_is_written_as_it_is_read() -> None:
    assert headers.encode_partition(258) == b"\x00\x00\x01\x02"


def test_reply_address_without_partition_leaves_the_choice() -> None:
    reply_to = headers.read_reply_to([("kafka_correlationId", b"1"), ("kafka_replyTopic", b"t")], NAMES)

    assert reply_to == ReplyTo("t", None, b"1")


@pytest.mark.parametrize("missing", ["kafka_correlationId", "kafka_replyTopic"])
def test_no_reply_is_asked_without_both_headers(missing: str) -> None:
    received = [(name, b"1") for name in ("kafka_correlationId", "kafka_replyTopic") if name != missing]

    assert headers.read_reply_to(received, NAMES) is None


@pytest.mark.parametrize("partition", [b"", b"1", b"\x00\x00\x00\x00\x01", b"\xff\xff\xff\xff"])
def test_wrong_reply_partition_is_refused(partition: bytes) -> None:
    received = [("kafka_correlationId", b"1"), ("kafka_replyTopic", b"t"), ("kafka_replyPartition", partition)]

    with pytest.raises(InvalidHeader, match="kafka_replyPartition"):
        headers.read_reply_to(received, NAMES)


@pytest.mark.parametrize("value", [b"", b"soon", b"-1", b"1.5", b"9" * 40])
def test_wrong_deadline_is_refused(value: bytes) -> None:
    with pytest.raises(InvalidHeader, match="nlp-deadline"):
        headers.read_deadline([("nlp-deadline", value)])


def test_deadline_is_read_as_it_is_written() -> None:
    assert headers.read_deadline([("nlp-deadline", headers.encode_deadline(1_700_000_000_000))]) == 1_700_000_000_000


def test_connect_headers_name_origin_and_reason() -> None:
    error = TextTooLong("text: 3 characters, the limit is 2", field="text", limit=2)

    written = dict(headers.connect_headers(error, topic="t", partition=1, offset=2, stage="VALUE_CONVERTER"))

    assert written["__connect.errors.topic"] == b"t"
    assert written["__connect.errors.partition"] == b"1"
    assert written["__connect.errors.offset"] == b"2"
    assert written["__connect.errors.exception.class.name"] == b"schemas.errors.TextTooLong"
    assert written["__connect.errors.exception.message"] == b"text: 3 characters, the limit is 2"
