"""Names, partitions and sizes of every topic."""

from dataclasses import dataclass
from typing import Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


def _name(description: str) -> str:
    return Field(default="", pattern=r"^[A-Za-z0-9._-]{0,249}$", description=description)


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """One topic as it is created; `max_message_bytes` is its largest record."""

    name: str
    partitions: int
    max_message_bytes: int
    retention_ms: int


class Topics(BaseSettings):
    """Topic names from `NLP_TOPIC_*`; a name that is not given is made from the prefix."""

    model_config = SettingsConfigDict(env_prefix="NLP_TOPIC_", frozen=True, extra="forbid")

    prefix: str = Field(default="nlp.", description="Begins every name that is not given in full.")
    partitions: int = Field(
        default=6,
        gt=0,
        description="Partitions of each topic when it is created. More workers than this sit idle; adding "
        "partitions later moves keys.",
    )
    reply_partitions: int = Field(
        default=16, gt=0, description="Partitions of the reply topic; one for each gateway replica is best."
    )
    replication_factor: int = Field(
        default=1, gt=0, description="Copies of each partition; 3 on a cluster that must survive a broker."
    )
    sentiment_requests: str = _name("Sentiment requests.")
    ner_requests: str = _name("Entity requests.")
    qa_requests: str = _name("Question requests.")
    documents: str = _name("Documents to enrich.")
    sentiment_results: str = _name("Sentiment results.")
    ner_results: str = _name("Entity results.")
    qa_results: str = _name("Answers.")
    enriched: str = _name("Enriched documents.")
    replies: str = _name("Replies to callers that asked by headers.")
    dead_letters: str = _name("Records that could not be answered.")

    @model_validator(mode="before")
    @classmethod
    def _fill_names(cls, values: dict[str, object]) -> dict[str, object]:
        prefix = values.get("prefix", cls.model_fields["prefix"].default)
        names = {name: f"{prefix}{name.replace('_r', '.r')}" for name in _REQUESTS + _RESULTS}
        names |= {name: f"{prefix}{name}" for name in ("documents", "enriched", "replies")}
        names["dead_letters"] = f"{prefix}dead-letters"
        return {**names, **{name: value for name, value in values.items() if value != ""}}

    @model_validator(mode="after")
    def _check_distinct(self) -> Self:
        names = [spec.name for spec in self.specs()]
        if len(set(names)) != len(names):
            raise ValueError("two topics have the same name")
        return self

    @property
    def inputs(self) -> tuple[str, ...]:
        """The topics the worker reads."""
        return (self.sentiment_requests, self.ner_requests, self.qa_requests, self.documents)

    @property
    def results(self) -> tuple[str, ...]:
        """The topics of results, in the order of their inputs."""
        return (self.sentiment_results, self.ner_results, self.qa_results, self.enriched)

    def specs(self) -> tuple[TopicSpec, ...]:
        """Return every topic as it is to be created.

        Outputs take larger records than inputs: a result repeats its text beside what was found in it, and a dead
        letter its record beside the reasons.
        """
        return (
            *(TopicSpec(name, self.partitions, _INPUT_BYTES, _WEEK_MS) for name in self.inputs),
            *(TopicSpec(name, self.partitions, OUTPUT_BYTES, _WEEK_MS) for name in (*self.results, self.dead_letters)),
            TopicSpec(self.replies, self.reply_partitions, OUTPUT_BYTES, _HOUR_MS),
        )


_REQUESTS = ("sentiment_requests", "ner_requests", "qa_requests")
_RESULTS = ("sentiment_results", "ner_results", "qa_results")
_INPUT_BYTES = 2 * 2**20
OUTPUT_BYTES = 16 * 2**20
"""The largest record we write; results above it become `result_too_large` dead letters."""
_WEEK_MS = 7 * 24 * 3_600_000
_HOUR_MS = 3_600_000
