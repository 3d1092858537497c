"""What the dead-letter command may be told, from `NLP_DEAD_LETTERS_*`."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """The command's own settings; topics and the cluster's address have theirs in `schemas`."""

    model_config = SettingsConfigDict(env_prefix="NLP_DEAD_LETTERS_", frozen=True)

    max_replays: int = Field(
        default=3,
        ge=1,
        le=1_000,
        description="Times one record may be replayed. Too high and what fails for good goes round and round; too low "
        "and what failed twice for a passing reason stays dead.",
    )
    quiet_s: float = Field(
        default=30.0,
        gt=0,
        le=600,
        description="Seconds without a record or an answer after which the broker counts as gone. Too low and a busy "
        "cluster ends the command half-way.",
    )
