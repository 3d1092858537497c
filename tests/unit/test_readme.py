"""The README tells the truth about names: what is not documented fails the build."""

import re
from pathlib import Path

import pytest
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings

import deadletters.settings
import gateway.settings
import local.settings
import training.settings
import worker.settings
from schemas import KafkaConnection, Limits, Topics, errors, headers
from schemas.headers import ReplyHeaderNames
from telemetry.tracing import TracingSettings

README = Path("README.md").read_text()


def with_subclasses(settings: type[BaseSettings]) -> list[type[BaseSettings]]:
    """Return the settings and all that inherit from them."""
    return [settings, *(each for child in settings.__subclasses__() for each in with_subclasses(child))]


SETTINGS: tuple[type[BaseSettings], ...] = (
    KafkaConnection,
    Topics,
    Limits,
    ReplyHeaderNames,
    worker.settings.Settings,
    gateway.settings.Settings,
    TracingSettings,
    deadletters.settings.Settings,
    local.settings.Settings,
    *with_subclasses(training.settings.Settings),
)
TOPIC_ORDER = tuple(spec.name for spec in Topics().specs())


def settings_rows() -> list[str]:
    """Return the rows of the README's settings tables, as the code has them."""
    rows = []
    for settings in SETTINGS:
        prefix = settings.model_config.get("env_prefix", "")
        for name, field in settings.model_fields.items():
            if isinstance(field.annotation, type) and issubclass(field.annotation, BaseSettings):
                continue
            default = field.default
            if default is PydanticUndefined:
                shown = "the usable cores" if name == "engine_threads" else ""
            else:
                shown = "" if default is None or str(default) in ("", "**********") else f"`{default}`"
            variable = field.validation_alias if isinstance(field.validation_alias, str) else f"{prefix}{name}".upper()
            rows.append(f"| `{variable}` | {shown} | {field.description} |")
    return list(dict.fromkeys(rows))


@pytest.mark.parametrize("row", settings_rows(), ids=lambda row: row.split("`")[1])
def test_every_setting_is_in_the_readme_with_its_default(row: str) -> None:
    assert row in README


def test_readme_names_no_setting_that_is_gone() -> None:
    known = {row.split("`")[1] for row in settings_rows()}
    named = set(re.findall(r"^\| `((?:NLP|KAFKA|MLFLOW)_[A-Z0-9_]+)`", README, re.MULTILINE))

    assert named == known


@pytest.mark.parametrize("topic", TOPIC_ORDER)
def test_every_topic_is_in_the_readme(topic: str) -> None:
    assert f"`{topic}`" in README


@pytest.mark.parametrize("header", sorted(headers.OWN | {headers.DEADLINE, headers.TRACEPARENT}))
def test_every_header_is_in_the_readme(header: str) -> None:
    if header.startswith("__connect.errors."):
        header = "__connect.errors.*"
    assert f"`{header}`" in README


@pytest.mark.parametrize("code", sorted(errors.RECORD_ERRORS_BY_CODE))
def test_every_error_code_is_in_the_readme(code: str) -> None:
    assert f"`{code}`" in README


def test_every_make_target_of_the_readme_exists() -> None:
    makefile = Path("Makefile").read_text()

    for target in set(re.findall(r"`make ([a-z-]+)", README)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"make {target}"
