"""What a local run can be told, from `NLP_LOCAL_*`."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Where a local run keeps its things, and which ports it takes."""

    model_config = SettingsConfigDict(env_prefix="NLP_LOCAL_", frozen=True)

    data: Path = Field(
        default=Path("var/kafka"), description="The broker's storage. Remove it and every record is gone."
    )
    cache: Path = Field(
        default=Path("~/.cache/nlp-local"),
        description="The broker's jars, 56 MB, shared by all checkouts. Remove it and the next start downloads them.",
    )
    broker_port: int = Field(
        default=9092, ge=1, le=65_535, description="The broker's port on 127.0.0.1; a taken one ends the start."
    )
    workers: int = Field(
        default=1,
        ge=1,
        le=64,
        description="Worker processes in one consumer group. More than cores and they take each other's time; more "
        "than partitions and some sit idle.",
    )
    ready_s: float = Field(
        default=120.0,
        gt=0,
        description="Seconds until worker and gateway must be ready. Too short and a slow machine never starts.",
    )
    stop_s: float = Field(
        default=40.0,
        gt=0,
        description="Seconds that a process may take to finish its work when asked to end; then it is killed, and "
        "what it had not finished is done again at the next start.",
    )
    restarts: int = Field(
        default=5,
        ge=0,
        description="Restarts of one process within ten minutes. Too many and a broken one fills the log; none and "
        "the first crash ends the run.",
    )

    @property
    def jars(self) -> Path:
        """The directory of the broker's jars."""
        return self.cache.expanduser() / "jars"


class WorkerAddress(BaseSettings):
    """Where the first worker serves metrics and health: the worker's own settings of these names."""

    model_config = SettingsConfigDict(env_prefix="NLP_WORKER_", frozen=True)

    http_host: str = "127.0.0.1"
    http_port: int = Field(default=6066, ge=1, le=65_535)

    @property
    def url(self) -> str:
        """Where a person on this machine finds it."""
        return _url(self.http_host, self.http_port)


class GatewayAddress(BaseSettings):
    """Where the gateway listens: the gateway's own settings of these names."""

    model_config = SettingsConfigDict(env_prefix="NLP_GATEWAY_", frozen=True)

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65_535)

    @property
    def url(self) -> str:
        """Where a person on this machine finds it."""
        return _url(self.host, self.port)


def _url(host: str, port: int) -> str:
    # Listening on every address is no address to go to.
    return f"http://{'127.0.0.1' if host in ('0.0.0.0', '::') else host}:{port}"
