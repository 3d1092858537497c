"""What one gateway process may be told, from `NLP_GATEWAY_*`."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from telemetry.logs import LogFormat

_ORIGIN = r"(\*|https?://[A-Za-z0-9.\[\]:-]+)"


class Settings(BaseSettings):
    """The gateway's own settings; topics, limits and the cluster's address have theirs in `schemas`."""

    model_config = SettingsConfigDict(env_prefix="NLP_GATEWAY_", frozen=True, env_ignore_empty=True)

    host: str = Field(
        default="127.0.0.1",
        min_length=1,
        description="Address to listen on. `0.0.0.0` answers the whole network: set keys then.",
    )
    port: int = Field(default=8000, ge=1, le=65_535, description="TCP port to listen on; a taken one stops the start.")
    reply_partition: int | None = Field(
        default=None,
        ge=0,
        description="Partition of the reply topic that this replica reads; one of them at random when empty. Replicas "
        "that share one stay correct, but each reads the replies of all.",
    )
    api_keys: str = Field(
        default="",
        description="Hashes of the keys that callers may show, `name:hash`, comma-separated; `python -m gateway.keys` "
        "makes them. Without these and the file nobody is asked for a key.",
    )
    api_keys_file: Path | None = Field(
        default=None,
        description="File of more such hashes, one a line, read again when it changes. An empty one lets nobody in, "
        "one that is missing stops the start.",
    )
    health_needs_key: bool = Field(
        default=False, description="True asks for a key on `/health` too: probes must then send it."
    )
    metrics_needs_key: bool = Field(
        default=False, description="True asks for a key on `/metrics` too: Prometheus must then send it."
    )
    cors_origins: str = Field(
        default="",
        pattern=rf"^({_ORIGIN}(,{_ORIGIN})*)?$",
        description="Origins whose pages may call from a browser, as in `https://a.example,https://b.example`; none "
        "when empty, all with `*`. Each can use whatever keys its visitors have.",
    )
    hsts_s: int = Field(
        default=0,
        ge=0,
        le=63_072_000,
        description="Seconds for which browsers shall insist on HTTPS, 0 for not. Only behind TLS: a browser that was "
        "told cannot be untold.",
    )
    receive_s: float = Field(
        default=15.0,
        gt=0,
        le=600,
        description="Seconds for a request's head to arrive, as many for its body, for the caller to take a piece of "
        "the answer, and for one that is refused to stop sending. Too low cuts off honest callers on slow lines; too "
        "high lets slow ones hold connections.",
    )
    max_connections: int = Field(
        default=2_000,
        ge=1,
        le=1_000_000,
        description="Open connections; on those above it predictions are refused (429), and above twice as many all "
        "are closed. Too low refuses callers that merely keep theirs open; above the process's limit of open files "
        "none can connect.",
    )
    max_pending: int = Field(
        default=1_000,
        ge=1,
        le=1_000_000,
        description="Requests waiting for a reply. Too low refuses callers (429) that the workers could serve; too "
        "high lets them queue until they time out, after the work was done.",
    )
    timeout_s: float = Field(
        default=10.0,
        gt=0,
        le=600,
        description="Seconds a caller waits at most. Too low and long texts never answer; too high and callers of a "
        "stuck worker hold their connections.",
    )
    broker_timeout_s: float = Field(
        default=3.0,
        gt=0,
        le=60,
        description="Seconds the broker may be silent before it counts as gone. Too low and a pause of its garbage "
        "collector fails requests; too high and callers wait for what cannot come.",
    )
    probe_interval_s: float = Field(
        default=1.0,
        gt=0,
        le=60,
        description="Seconds between two questions whether the broker is there. Too low is needless traffic, too high "
        "leaves readiness behind the truth.",
    )
    max_reconnect_pause_s: float = Field(
        default=2.0,
        gt=0,
        le=60,
        description="Longest pause, in seconds, between two attempts to connect. Too low floods a cluster that is "
        "starting; too high stays away after it came back.",
    )
    keep_alive_s: int = Field(
        default=75,
        ge=1,
        le=3_600,
        description="Seconds an idle HTTP connection stays open. Below the idle time of a proxy in front, its reused "
        "connections are reset now and then; too high holds sockets of callers that left.",
    )
    shutdown_s: int = Field(
        default=15,
        ge=1,
        le=600,
        description="Seconds for open requests to finish after SIGTERM. Below `timeout_s` callers are cut off; above "
        "the orchestrator's own grace the process is killed.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least severe message that is logged; `debug` costs time on every request."
    )
    log_format: LogFormat = Field(
        default="text", description="`text` for people, `json` for a log store: one object a line."
    )
    access_log: bool = Field(
        default=False, description="True logs a line a request, which costs more than the rest of the gateway's work."
    )

    @property
    def allowed_origins(self) -> list[str]:
        """The origins of `cors_origins`."""
        return [origin for origin in self.cors_origins.split(",") if origin]
