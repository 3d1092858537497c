import pytest

from schemas import CONTRACTS, Contract, DocumentRequest, Limits, QaRequest, RecordError, SentimentRequest, codec
from schemas.limits import AnyRequest

LIMITS = Limits(max_record_bytes=200, max_text_chars=20, max_question_chars=10, max_questions=2)


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.name)
def test_request_survives_encoding_and_decoding(contract: Contract) -> None:
    example = contract.request_type.model_config["json_schema_extra"]["examples"][0]  # type: ignore[index]
    request = contract.request_type.model_validate(example)

    decoded = codec.decode_request(codec.encode(request), contract.request_type, Limits())

    assert decoded == request


@pytest.mark.parametrize(
    ("value", "code", "field", "limit"),
    [
        (None, "malformed_record", None, None),
        (b"", "malformed_record", None, None),
        (b"nope", "malformed_record", None, None),
        (b'{"text": "\xff"}', "malformed_record", None, None),
        (b'{"text": "\\ud800"}', "malformed_record", None, None),
        (b"[]", "malformed_record", None, None),
        (b"null", "malformed_record", None, None),
        (b"{}", "invalid_field", "text", None),
        (b'{"text": 5}', "invalid_field", "text", None),
        (b'{"text": "a", "txet": "b"}', "invalid_field", "txet", None),
        (b'{"text": "a", "id": ""}', "invalid_field", "id", None),
        (b'{"text": ""}', "empty_text", "text", None),
        (b'{"text": " \\n\\t "}', "empty_text", "text", None),
        (b'{"text": "aaaaaaaaaaaaaaaaaaaaa"}', "text_too_long", "text", 20),
        (b'{"text": "' + b"a" * 300 + b'"}', "record_too_large", None, 200),
    ],
)
def test_bad_sentiment_request_is_refused_by_field_and_limit(
    value: bytes | None, code: str, field: str | None, limit: int | None
) -> None:
    with pytest.raises(RecordError) as refused:
        codec.decode_request(value, SentimentRequest, LIMITS)

    assert (refused.value.code, refused.value.field, refused.value.limit) == (code, field, limit)


@pytest.mark.parametrize(
    ("value", "request_type", "code", "field"),
    [
        (b'{"context": "a", "question": " "}', QaRequest, "empty_text", "question"),
        (b'{"context": "a", "question": "aaaaaaaaaaa"}', QaRequest, "text_too_long", "question"),
        (b'{"text": "a", "tasks": ["sentment"]}', DocumentRequest, "invalid_field", "tasks.0"),
        (b'{"text": "a", "tasks": []}', DocumentRequest, "invalid_field", "tasks"),
        (b'{"text": "a", "questions": ["a", "b", "c"]}', DocumentRequest, "too_many_questions", "questions"),
        (b'{"text": "a", "questions": ["a", ""]}', DocumentRequest, "empty_text", "questions.1"),
    ],
)
def test_bad_request_names_the_field(value: bytes, request_type: type[AnyRequest], code: str, field: str) -> None:
    with pytest.raises(RecordError) as refused:
        codec.decode_request(value, request_type, LIMITS)

    assert (refused.value.code, refused.value.field) == (code, field)


def test_error_detail_never_quotes_the_text() -> None:
    with pytest.raises(RecordError) as refused:
        codec.decode_request(b'{"text": ["secret"]}', SentimentRequest, LIMITS)

    assert "secret" not in refused.value.detail


def test_record_at_the_limit_is_taken() -> None:
    request = codec.decode_request(b'{"text": "' + b"a" * 20 + b'"}', SentimentRequest, LIMITS)

    assert len(request.text) == 20
