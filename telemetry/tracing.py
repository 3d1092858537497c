"""Whether spans are recorded: one switch, and the start of OpenTelemetry where it is on.

Nothing of OpenTelemetry is imported before: who does not trace needs none of its packages and pays nothing.
"""

from importlib.util import find_spec
from typing import TYPE_CHECKING, Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

if TYPE_CHECKING:
    from telemetry.spans import Spans

_EXPORTER = "opentelemetry.exporter.otlp.proto.http"


class TracingSettings(BaseSettings):
    """The switch, from `NLP_TRACING_*`, the same for worker and gateway.

    All else is said in OpenTelemetry's own variables, which its SDK reads itself: where spans go
    (`OTEL_EXPORTER_OTLP_ENDPOINT`), how many (`OTEL_TRACES_SAMPLER`), under which name (`OTEL_SERVICE_NAME`).
    """

    model_config = SettingsConfigDict(env_prefix="NLP_TRACING_", frozen=True)

    enabled: bool = Field(
        default=False,
        description="True sends OpenTelemetry spans of every request to the collector that the `OTEL_*` variables "
        "name. Needs `requirements-tracing.txt`; each record whose trace is kept costs half a millisecond of CPU.",
    )

    @model_validator(mode="after")
    def _check_packages(self) -> Self:
        if self.enabled and not _is_installed(_EXPORTER):
            raise ValueError("NLP_TRACING_ENABLED needs the packages of requirements-tracing.txt: they are missing")
        return self


def start_tracing(settings: TracingSettings, service: str) -> "Spans | None":
    """Return what records spans under the service's name and sends them in the background; None where it is off."""
    if not settings.enabled:
        return None
    from telemetry.spans import export_spans

    return export_spans(service)


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False
