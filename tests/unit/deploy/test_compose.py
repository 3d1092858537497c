"""docker-compose.yml and .env.example: what is set, said, limited and closed, without an engine to run it."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic_settings import BaseSettings

import deadletters.settings
import gateway.settings
import worker.app
import worker.settings
from deploy.compose import env_example
from schemas import KafkaConnection, Limits, Topics
from schemas.headers import ReplyHeaderNames
from schemas.topics import OUTPUT_BYTES
from telemetry.tracing import TracingSettings

TEXT = Path("docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = ("topics", "worker", "gateway", "mlflow", "training")
EXAMPLE = Path(".env.example").read_text()

_WIRE = (KafkaConnection, Topics, Limits, ReplyHeaderNames, TracingSettings)
READ_BY: dict[str, tuple[type[BaseSettings], ...]] = {
    "topics": (KafkaConnection, Topics),
    "worker": (*_WIRE, worker.settings.Settings, deadletters.settings.Settings),
    "gateway": (*_WIRE, gateway.settings.Settings),
}
each_service = pytest.mark.parametrize("name", SERVICES)
each_of_ours = pytest.mark.parametrize("name", OURS)


def examples() -> dict[str, str]:
    """Return the variables of .env.example about which something is said, with their values."""
    return dict(re.findall(r"^# .+\n#([A-Z_]+)=(.*)$", EXAMPLE, re.MULTILINE))


@pytest.mark.parametrize("name", READ_BY)
def test_a_service_is_given_every_setting_that_it_reads_and_no_other(name: str) -> None:
    known = {variable for settings in READ_BY[name] for variable in env_example.variables(settings)} - env_example.FIXED

    assert {given for given in SERVICES[name]["environment"] if not given.startswith("OTEL_")} == known


def test_the_example_has_every_variable_of_the_compose_file_and_no_other() -> None:
    replaced = set(re.findall(r"\$\{([A-Z_]+)", TEXT))
    passed_on = {
        variable
        for service in SERVICES.values()
        for variable, value in service.get("environment", {}).items()
        if value is None
    }

    assert set(examples()) == replaced | passed_on
    assert len(re.findall(r"^#?[A-Z_]+=", EXAMPLE, re.MULTILINE)) == len(examples())


def test_the_example_is_the_one_that_the_code_makes() -> None:
    assert EXAMPLE == env_example.render(), "make manifests"


def test_the_example_has_the_defaults_of_the_compose_file() -> None:
    for variable, default in re.findall(r"\$\{([A-Z_]+):-([^}]*)\}", TEXT):
        assert examples()[variable] == default


def test_no_secret_has_a_default() -> None:
    secret = re.compile("PASSWORD$|API_KEYS$|OTLP_HEADERS$")
    defaults = [value for variable, value in examples().items() if secret.search(variable)]

    assert defaults == [""] * 4


@each_service
def test_ports_are_published_to_this_machine_alone_unless_a_setting_says_otherwise(name: str) -> None:
    for port in SERVICES[name].get("ports", []):
        assert re.fullmatch(r"\$\{[A-Z]+_PUBLISH:-127\.0\.0\.1:\d+\}:\d+", port)


def test_workers_can_be_many() -> None:
    assert not {"ports", "container_name", "hostname"} & SERVICES["worker"].keys()


@each_service
def test_cores_and_memory_are_limited(name: str) -> None:
    assert SERVICES[name]["deploy"]["resources"]["limits"].keys() == {"cpus", "memory"}


@each_service
def test_whatever_goes_on_comes_back_and_whatever_ends_does_not(name: str) -> None:
    ends = name in ("topics", "training")

    assert SERVICES[name].get("restart", "no") == ("no" if ends else "unless-stopped")


@each_service
def test_a_service_waits_for_a_state_and_not_only_for_a_start(name: str) -> None:
    for other, how in SERVICES[name].get("depends_on", {}).items():
        ends = other == "topics"
        assert how["condition"] == ("service_completed_successfully" if ends else "service_healthy")


@each_of_ours
def test_our_processes_cannot_write_rise_or_grow(name: str) -> None:
    service = SERVICES[name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["tmpfs"] == ["/tmp"]
    assert "privileged" not in service


@each_service
def test_logs_are_cut(name: str) -> None:
    assert SERVICES[name]["logging"]["options"] == {"max-size": "10m", "max-file": "3"}


@each_service
def test_images_are_of_a_version(name: str) -> None:
    image = SERVICES[name]["image"]

    assert re.fullmatch(r"streaming-nlp/[a-z]+:\$\{NLP_VERSION:-latest\}|[a-z/]+:v?\d+\.\d+\.\d+", image)


def test_every_volume_is_named_and_used() -> None:
    mounted = [volume.partition(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])]

    assert {volume for volume in mounted if re.fullmatch("[a-z]+", volume)} == COMPOSE["volumes"].keys()


def test_every_mounted_file_exists() -> None:
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            if volume.startswith("./"):
                assert Path(volume.partition(":")[0]).exists()


def test_the_broker_takes_the_largest_record() -> None:
    environment = SERVICES["kafka"]["environment"]

    assert environment["KAFKA_MESSAGE_MAX_BYTES"] == OUTPUT_BYTES + 2**20
    assert environment["KAFKA_REPLICA_FETCH_MAX_BYTES"] == OUTPUT_BYTES + 2**20


def test_nothing_is_killed_while_it_finishes_its_work() -> None:
    drain_s = worker.settings.Settings.model_fields["drain_s"].default
    shutdown_s = gateway.settings.Settings.model_fields["shutdown_s"].default
    last_resort_s = drain_s + worker.app.STOP_MARGIN_S + 2 * worker.app.PRODUCER_STOP_S

    assert int(SERVICES["worker"]["stop_grace_period"].removesuffix("s")) > last_resort_s
    assert int(SERVICES["gateway"]["stop_grace_period"].removesuffix("s")) > shutdown_s
