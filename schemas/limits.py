"""How much one record may hold."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from schemas.document import DocumentRequest
from schemas.errors import EmptyText, InvalidField, TextTooLong, TooManyQuestions
from schemas.ner import NerRequest
from schemas.qa import QaRequest
from schemas.sentiment import SentimentRequest

AnyRequest = SentimentRequest | NerRequest | QaRequest | DocumentRequest


class Limits(BaseSettings):
    """What gateway and worker refuse, from `NLP_MAX_*`; give both the same values."""

    model_config = SettingsConfigDict(env_prefix="NLP_", frozen=True)

    max_record_bytes: int = Field(
        default=1_000_000,
        gt=0,
        le=100_000_000,
        description="Bytes of one request. Above the topics' own `max.message.bytes` producers fail first.",
    )
    max_text_chars: int = Field(
        default=100_000,
        gt=0,
        description="Characters of a text or context. A full one is some 25,000 tokens: raise it and one "
        "record holds up its partition for longer.",
    )
    max_question_chars: int = Field(
        default=1_000,
        gt=0,
        description="Characters of a question. The model reads the first 128 tokens of it.",
    )
    max_questions: int = Field(
        default=16, ge=0, description="Questions of one document; each costs a pass over the whole text."
    )

    def check(self, request: AnyRequest) -> None:
        """Raise `EmptyText`, `TextTooLong`, `TooManyQuestions` or `InvalidField` for the first field at fault."""
        match request:
            case QaRequest():
                self._check_text("context", request.context, self.max_text_chars)
                self._check_text("question", request.question, self.max_question_chars)
            case DocumentRequest():
                self._check_text("text", request.text, self.max_text_chars)
                self._check_questions(request)
            case _:
                self._check_text("text", request.text, self.max_text_chars)

    def _check_questions(self, request: DocumentRequest) -> None:
        if not request.tasks and not request.questions:
            raise InvalidField("tasks: name at least one task, or ask a question", field="tasks")
        if len(request.questions) > self.max_questions:
            raise TooManyQuestions(
                f"questions: {len(request.questions)} questions, the limit is {self.max_questions}",
                field="questions",
                limit=self.max_questions,
            )
        for position, question in enumerate(request.questions):
            self._check_text(f"questions.{position}", question, self.max_question_chars)

    @staticmethod
    def _check_text(field: str, text: str, limit: int) -> None:
        if len(text) > limit:
            raise TextTooLong(f"{field}: {len(text)} characters, the limit is {limit}", field=field, limit=limit)
        if not text or text.isspace():
            raise EmptyText(f"{field}: holds no text", field=field)
