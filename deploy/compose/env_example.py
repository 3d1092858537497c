"""Writes `.env.example` from the settings as the code has them: `python -m deploy.compose.env_example`."""

import textwrap
from collections.abc import Iterator
from pathlib import Path

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings

import deadletters.settings
import gateway.settings
import worker.settings
from schemas import KafkaConnection, Limits, Topics
from schemas.headers import ReplyHeaderNames
from telemetry.tracing import TracingSettings

EXAMPLE = Path(".env.example")

FIXED = frozenset(
    {
        # The images say these: ports inside of containers have no reason to change, and health checks know them.
        *("NLP_WORKER_HTTP_HOST", "NLP_WORKER_HTTP_PORT", "NLP_GATEWAY_HOST", "NLP_GATEWAY_PORT"),
        *("NLP_WORKER_BUNDLE_CACHE", "NLP_GATEWAY_HEALTH_NEEDS_KEY"),
        # One value for all replicas would be wrong for all but one.
        *("NLP_WORKER_INSTANCE", "NLP_GATEWAY_REPLY_PARTITION"),
    }
)
"""Settings that cannot be set in containers."""

_IN_CONTAINERS = {
    "KAFKA_BOOTSTRAP_SERVERS": "kafka:19092",
    "NLP_WORKER_BUNDLE": "/app/bundle",
    "MLFLOW_TRACKING_URI": "http://mlflow:5000",
}
"""Settings whose default is another there."""

_HEAD = """\
# Settings of docker-compose.yml: copy this file to .env and change what you need. Every line shows the default, or
# nothing where there is none; no line has to be set. What begins with NLP_ is a setting of our programs and means the
# same everywhere. Written by `make manifests`.
"""
_WIDTH = 118

Told = tuple[tuple[str, str, str], ...]
"""Variables with their default and what is to be said of them."""

_PORTS: Told = (
    (
        "GATEWAY_PUBLISH",
        "127.0.0.1:8000",
        "Address and port of this machine that answer HTTP. 0.0.0.0:8000 answers the whole network: set "
        "NLP_GATEWAY_API_KEYS then, and put TLS in front. A range, as in 127.0.0.1:8000-8010, is for "
        "`--scale gateway=2`.",
    ),
    (
        "KAFKA_PUBLISH",
        "127.0.0.1:9092",
        "Address and port of this machine where programs outside of containers find Kafka; the broker tells them to "
        "come back to the same, so it must be one that they reach, never 0.0.0.0. Nobody is asked for a password.",
    ),
    ("MLFLOW_PUBLISH", "127.0.0.1:5000", "MLflow's pages and API. Nobody is asked for a password."),
    ("PROMETHEUS_PUBLISH", "127.0.0.1:9090", "Prometheus. Nobody is asked for a password."),
    ("GRAFANA_PUBLISH", "127.0.0.1:3000", "Grafana."),
)
_ACCESS: Told = (
    (
        "GRAFANA_ADMIN_PASSWORD",
        "",
        "Makes the administrator `admin` with this password, unless there is one already. Without it nobody can log "
        "in, and the dashboards can be looked at and not changed.",
    ),
    (
        "GRAFANA_ANONYMOUS",
        "true",
        "false shows the dashboards only to those who log in. Then a password must be set above.",
    ),
    (
        "SECRETS_DIRECTORY",
        "./deploy/compose/secrets",
        "Directory that worker, gateway and topic creation see as /run/nlp: certificates for KAFKA_SSL_*, a file of "
        "keys for NLP_GATEWAY_API_KEYS_FILE. User 10001 must be able to read them.",
    ),
)
_RESOURCES: Told = (
    (
        "WORKER_CPUS",
        "2",
        "Cores of each worker; Docker refuses more than the machine has. By it the worker knows how many texts to "
        "compute at the same time.",
    ),
    (
        "WORKER_MEMORY",
        "768m",
        "Memory of each worker. One that needs more is killed, and what it had not finished is done again.",
    ),
    ("GATEWAY_CPUS", "1", "Cores of the gateway; it is one process that can use one."),
    ("GATEWAY_MEMORY", "256m", "Memory of the gateway."),
    ("KAFKA_CPUS", "2", "Cores of the broker."),
    ("KAFKA_MEMORY", "1g", "Memory of the broker; its heap is 512 MB of it."),
    ("MLFLOW_CPUS", "1", "Cores of the MLflow server."),
    ("MLFLOW_MEMORY", "1g", "Memory of the MLflow server; it takes 400 MB when idle."),
    ("PROMETHEUS_CPUS", "1", "Cores of Prometheus."),
    ("PROMETHEUS_MEMORY", "512m", "Memory of Prometheus."),
    ("GRAFANA_CPUS", "1", "Cores of Grafana."),
    ("GRAFANA_MEMORY", "512m", "Memory of Grafana."),
    ("TRAINING_CPUS", "2", "Cores of the training container; all that the machine has is best."),
    ("TRAINING_MEMORY", "8g", "Memory of the training container."),
)
_MORE: Told = (
    ("NLP_VERSION", "latest", "Tag of the images that are built and run."),
    ("NLP_REVISION", "unknown", "Commit that the images name as their source; `make up` fills it in."),
    ("NLP_CREATED", "unknown", "Time that the images name as their birth; `make up` fills it in."),
    ("PROMETHEUS_RETENTION", "15d", "How long metrics are kept."),
    (
        "MLFLOW_HOSTS",
        "",
        "More names, comma-separated, as in ml.example:5000, by which browsers may call MLflow beside localhost; "
        "others are refused.",
    ),
)
_OTEL: Told = (
    (
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "http://localhost:4318",
        "The collector; inside the containers localhost is nobody, so name one.",
    ),
    (
        "OTEL_EXPORTER_OTLP_HEADERS",
        "",
        "Headers for the collector, `name=value`, comma-separated; where it wants a token, this is it.",
    ),
    (
        "OTEL_RESOURCE_ATTRIBUTES",
        "",
        "What every span says of where it came from, as in deployment.environment=test.",
    ),
    ("OTEL_TRACES_SAMPLER", "parentbased_always_on", "Which traces are kept."),
    ("OTEL_TRACES_SAMPLER_ARG", "", "The share that parentbased_traceidratio keeps, as in 0.1."),
)


def variables(settings: type[BaseSettings]) -> dict[str, FieldInfo]:
    """Return the fields of a settings class by their variable, without other settings inside of it."""
    prefix = settings.model_config.get("env_prefix", "")
    return {
        field.validation_alias if isinstance(field.validation_alias, str) else f"{prefix}{name}".upper(): field
        for name, field in settings.model_fields.items()
        if not (isinstance(field.annotation, type) and issubclass(field.annotation, BaseSettings))
    }


def render() -> str:
    """Return the text of the file."""
    return "\n".join([_HEAD, *_sections()])


def _sections() -> Iterator[str]:
    yield _section("Ports", _PORTS)
    yield _section("Access", _ACCESS)
    yield _section("Limits of the containers", _RESOURCES)
    yield _section("Images, monitoring, models", _MORE)
    yield _section(
        "The cluster; for another than the one here, `up --no-deps topics worker gateway`", _of(KafkaConnection)
    )
    yield _section("Topics", _of(Topics))
    yield _section("Limits of a request", _of(Limits))
    yield _section("Reply headers", _of(ReplyHeaderNames))
    yield _section("Worker", _of(worker.settings.Settings))
    yield _section("Gateway", _of(gateway.settings.Settings))
    yield _section("Dead letters", _of(deadletters.settings.Settings))
    yield _section("Traces", (*_of(TracingSettings), *_OTEL))


def _section(title: str, told: Told) -> str:
    rule = f"# --- {title} ".ljust(_WIDTH, "-")
    return "\n".join([rule, "", *(_entry(*each) for each in told)])


def _entry(variable: str, default: str, said: str) -> str:
    text = textwrap.fill(said, _WIDTH, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)
    return f"{text}\n#{variable}={default}\n"


def _of(settings: type[BaseSettings]) -> Told:
    return tuple(
        (variable, _IN_CONTAINERS.get(variable, _default(field)), field.description or "")
        for variable, field in variables(settings).items()
        if variable not in FIXED
    )


def _default(field: FieldInfo) -> str:
    default = field.default
    if default is PydanticUndefined or default is None or "**" in str(default):
        return ""
    return str(default).lower() if isinstance(default, bool) else str(default)


if __name__ == "__main__":
    EXAMPLE.write_text(render())
    print(EXAMPLE)
