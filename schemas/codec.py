"""Bytes to records and back: the only place that parses or prints a record's JSON."""

from typing import TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

from schemas.base import Record
from schemas.errors import InvalidField, MalformedRecord, RecordError, RecordTooLarge
from schemas.fields import RecordId
from schemas.limits import AnyRequest, Limits

_RECORD_ID: TypeAdapter[str] = TypeAdapter(RecordId)
_UNKNOWN_FIELD = "extra_forbidden"
_MALFORMED = ("json_invalid", "model_type", "model_attributes_type")

AnyRecord = TypeVar("AnyRecord", bound=Record)
Request = TypeVar("Request", bound=AnyRequest)


def encode(record: Record) -> bytes:
    """Return the record as UTF-8 JSON."""
    return record.__pydantic_serializer__.to_json(record)


def decode(value: bytes, record_type: type[AnyRecord]) -> AnyRecord:
    """Return the record that `value` holds.

    Raises `MalformedRecord` for anything but a UTF-8 JSON object, `InvalidField` naming the first wrong field.
    """
    try:
        return record_type.model_validate_json(value)
    except ValidationError as invalid:
        raise error_of(invalid) from None


def decode_request(value: bytes | None, request_type: type[Request], limits: Limits) -> Request:
    """Return the request that `value` holds, within the limits; raises a `RecordError` otherwise."""
    if value is None:
        raise MalformedRecord("the record has no value")
    if len(value) > limits.max_record_bytes:
        raise RecordTooLarge(
            f"the record has {len(value)} bytes, the limit is {limits.max_record_bytes}",
            limit=limits.max_record_bytes,
        )
    request = decode(value, request_type)
    limits.check(request)
    return request


def find_id(value: bytes | None) -> str | None:
    """Return the caller's id of a value that is no valid request, where it can be made out."""
    try:
        fields = from_json(value or b"")
        return _RECORD_ID.validate_python(fields["id"])
    except (ValueError, KeyError, TypeError):
        return None


def error_of(invalid: ValidationError) -> RecordError:
    """Return pydantic's first complaint as one of ours, without the input it quotes."""
    first = invalid.errors(include_url=False, include_input=False, include_context=False)[0]
    if first["type"] in _MALFORMED and not first["loc"]:
        return MalformedRecord("the record is no UTF-8 JSON object")
    field = ".".join(str(part) for part in first["loc"])[:200]
    if first["type"] == _UNKNOWN_FIELD:
        return InvalidField(f"{field}: unknown field", field=field)
    return InvalidField(f"{field}: {first['msg']}", field=field)
