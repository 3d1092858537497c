"""All that can be set for a worker: one frozen object, built once in `worker.app`."""

import os
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from schemas import KafkaConnection, Limits, Topics
from schemas.acls import WORKER_GROUP
from schemas.headers import ReplyHeaderNames
from telemetry.logs import LogFormat
from telemetry.tracing import TracingSettings
from worker.registry import is_registered


def usable_cores() -> int:
    """Return the cores this process may run on, its CPU quota (cgroup v2) counted in."""
    cores = len(os.sched_getaffinity(0))
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
    except (OSError, ValueError):
        return cores
    return cores if quota == "max" else max(1, min(cores, int(quota) // int(period)))


class Settings(BaseSettings):
    """One worker process, from `NLP_WORKER_*`; the cluster, topics and limits have prefixes of their own."""

    model_config = SettingsConfigDict(env_prefix="NLP_WORKER_", frozen=True)

    bundle: str = Field(
        default="models/minilm",
        min_length=1,
        description="Directory of the model bundle; or its name in MLflow's registry, `models:/<name>@<alias>` or "
        "`models:/<name>/<version>`, which is resolved at each start.",
    )
    bundle_cache: Path = Field(
        default=Path("~/.cache/nlp-worker"),
        description="Where versions of the registry are kept, 24 MB each; with it a worker starts again while the "
        "registry is away. Any of it may be removed.",
    )
    bundle_wait_s: float = Field(
        default=60.0,
        gt=0,
        le=600,
        description="How long to wait for the registry and the files of a version. Too short and a slow line never "
        "brings them; a registry that hangs delays every start for as long.",
    )
    mlflow_tracking_uri: str = Field(
        default="",
        validation_alias="MLFLOW_TRACKING_URI",
        description="The MLflow server whose registry has the bundle; needed by a `models:/` name only.",
    )
    group: str = Field(
        default=WORKER_GROUP,
        pattern=r"^[A-Za-z0-9._-]{1,200}$",
        description="Consumer group. Workers of one group share the work; another name reads everything again.",
    )
    instance: str | None = Field(
        default=None,
        description="Static membership id, unique among running workers. A restart within the session time-out then "
        "moves no partitions; but a worker that leaves for good is missed only after that time.",
    )
    http_host: str = Field(default="127.0.0.1", description="Address of metrics and health; 0.0.0.0 in a container.")
    http_port: int = Field(default=6066, ge=0, le=65535, description="Port of metrics and health; 0 takes a free one.")
    engine_threads: int = Field(
        default_factory=usable_cores,
        ge=1,
        le=64,
        description="Encoder runs at the same time, one core each; the usable cores by default. More only wait for "
        "each other.",
    )
    max_batch_tokens: int = Field(
        default=384,
        ge=64,
        le=16_384,
        description="Padded tokens of one encoder run. Below 200 the fixed cost of a run shows; above 500 nothing is "
        "gained and every record waits longer for its batch.",
    )
    max_in_flight_records: int = Field(
        default=512,
        ge=1,
        le=100_000,
        description="Records taken and not yet delivered. Too low leaves nothing to batch; too high delays a "
        "rebalance and repeats more after a crash.",
    )
    max_in_flight_bytes: int = Field(
        default=32_000_000,
        ge=1_000_000,
        description="Bytes of the records taken and not yet delivered; bounds memory when records are large.",
    )
    drain_s: float = Field(
        default=20.0,
        gt=0,
        le=600,
        description="How long a stopping worker finishes what it took. What is left then is done again elsewhere; "
        "keep it below the supervisor's own patience.",
    )
    rebalance_drain_s: float = Field(
        default=5.0,
        gt=0,
        le=60,
        description="The same before partitions move. All workers wait meanwhile; what is left is done twice.",
    )
    stall_s: float = Field(
        default=60.0,
        gt=1,
        description="Work or commits that stand still this long make the worker unready, twice as long ends it. "
        "Below a broker's restart time, every such restart takes the workers along.",
    )
    commit_interval_s: float = Field(
        default=1.0, gt=0, le=60, description="Time between offset commits; a crash repeats up to this much work."
    )
    session_timeout_s: float = Field(
        default=10.0,
        ge=6,
        le=300,
        description="A killed worker's partitions move after this time. Too low, and a paused machine loses its own.",
    )
    topics_wait_s: float = Field(
        default=60.0, ge=0, description="How long to wait at start for the broker and the topics before giving up."
    )
    log_level: str = Field(
        default="INFO", pattern=r"^(DEBUG|INFO|WARNING|ERROR)$", description="DEBUG costs throughput."
    )
    log_format: LogFormat = Field(
        default="text", description="`text` for people, `json` for a log store: one object a line."
    )
    kafka: KafkaConnection = Field(default_factory=KafkaConnection)
    topics: Topics = Field(default_factory=Topics)
    limits: Limits = Field(default_factory=Limits)
    reply_headers: ReplyHeaderNames = Field(default_factory=ReplyHeaderNames)
    tracing: TracingSettings = Field(default_factory=TracingSettings)

    @model_validator(mode="after")
    def _registry_is_named(self) -> Self:
        if is_registered(self.bundle) and not self.mlflow_tracking_uri:
            raise ValueError(f"{self.bundle} is in a registry: MLFLOW_TRACKING_URI must say where that is")
        return self
