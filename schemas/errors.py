"""Everything that can go wrong, as one tree.

    NlpError
    ├── RecordError                 one record's fault: a dead letter, an error reply, an HTTP 4xx
    │   ├── MalformedRecord         malformed_record    the bytes are no UTF-8 JSON object
    │   ├── InvalidField            invalid_field       a field is missing, unknown or of the wrong type
    │   ├── InvalidHeader           invalid_header      a reply or deadline header cannot be followed
    │   ├── EmptyText               empty_text          nothing to read in a text or question
    │   ├── TextTooLong             text_too_long       more characters than the limit
    │   ├── RecordTooLarge          record_too_large    more bytes than the limit
    │   ├── TooManyQuestions        too_many_questions  more questions in a document than the limit
    │   ├── Expired                 expired             the deadline passed before inference
    │   ├── ResultTooLarge          result_too_large    the result would not fit its topic
    │   └── InternalError           internal_error      the model failed on this record alone
    └── ServiceError                nobody's record: the process stops or the caller tries again
        ├── Overloaded              overloaded          as much work is pending as is allowed
        ├── BrokerUnavailable       broker_unavailable  no broker answers
        ├── AccessDenied            access_denied       the cluster refuses our certificate, password or rights
        ├── ReplyTimeout            reply_timeout       no reply came in time
        ├── RegistryUnavailable     registry_unavailable  the model registry does not answer, and nothing is kept of it
        └── BundleError             invalid_bundle      the model bundle is missing, damaged or does not fit

Codes are part of the wire contract: they may be added to, never changed. A detail never quotes the caller's text,
because details travel to logs and to other people's screens.
"""

from typing import ClassVar

MAX_DETAIL_CHARS = 2_000
"""A dead letter's headers count towards the broker's record limit: a long detail would make it undeliverable."""


class NlpError(Exception):
    """The root: a stable `code`, a human `detail`, and whether asking again may help (`retriable`)."""

    code: ClassVar[str]
    retriable: ClassVar[bool] = False

    def __init__(self, detail: str, *, field: str | None = None, limit: int | None = None) -> None:
        self.detail = detail[:MAX_DETAIL_CHARS]
        self.field = field
        self.limit = limit
        super().__init__(self.detail)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and vars(other) == vars(self)

    def __hash__(self) -> int:
        return hash((type(self), self.detail, self.field, self.limit))


class RecordError(NlpError):
    """One record's fault; its batch mates are untouched."""


class MalformedRecord(RecordError):
    """The bytes are no UTF-8 JSON object."""

    code = "malformed_record"


class InvalidField(RecordError):
    """A field is missing, unknown or of the wrong type."""

    code = "invalid_field"


class InvalidHeader(RecordError):
    """A reply or deadline header cannot be read or followed."""

    code = "invalid_header"


class EmptyText(RecordError):
    """A text or question holds nothing to read."""

    code = "empty_text"


class TextTooLong(RecordError):
    """A text or question has more characters than the limit."""

    code = "text_too_long"


class RecordTooLarge(RecordError):
    """The record has more bytes than the limit."""

    code = "record_too_large"


class TooManyQuestions(RecordError):
    """A document asks more questions than the limit."""

    code = "too_many_questions"


class Expired(RecordError):
    """The caller's deadline passed before the record came to inference."""

    code = "expired"
    retriable = True


class ResultTooLarge(RecordError):
    """The result has more bytes than its topic takes."""

    code = "result_too_large"


class InternalError(RecordError):
    """The model failed on this record, and on this record alone."""

    code = "internal_error"


class ServiceError(NlpError):
    """Nobody's record: it propagates and stops the process, or tells the caller to come back."""


class Overloaded(ServiceError):
    """As much work is pending as is allowed."""

    code = "overloaded"
    retriable = True


class BrokerUnavailable(ServiceError):
    """No broker answers."""

    code = "broker_unavailable"
    retriable = True


class AccessDenied(ServiceError):
    """The cluster answers and refuses us: a certificate, a password or a right is wrong, and waiting mends none."""

    code = "access_denied"


class ReplyTimeout(ServiceError):
    """No reply came before the deadline."""

    code = "reply_timeout"
    retriable = True


class RegistryUnavailable(ServiceError):
    """The model registry does not answer, and nothing that it gave before is kept."""

    code = "registry_unavailable"
    retriable = True


class BundleError(ServiceError):
    """The model bundle is missing, damaged or does not fit this worker."""

    code = "invalid_bundle"


RECORD_ERRORS: tuple[type[RecordError], ...] = (
    MalformedRecord,
    InvalidField,
    InvalidHeader,
    EmptyText,
    TextTooLong,
    RecordTooLarge,
    TooManyQuestions,
    Expired,
    ResultTooLarge,
    InternalError,
)
RECORD_ERRORS_BY_CODE = {error.code: error for error in RECORD_ERRORS}
