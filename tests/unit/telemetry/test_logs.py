"""Log lines: the same for every logger, with the request's id, and without what a caller sent."""

import asyncio
import io
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from telemetry import logs
from telemetry.logs import LogFormat, configure_logging, place_of

SECRET = "what-the-caller-wrote"
FORMATS: tuple[LogFormat, ...] = ("text", "json")


@pytest.fixture(autouse=True)
def _own_handlers() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def _request_id() -> Iterator[None]:
    token = logs.request_id.set("r-17")
    yield
    logs.request_id.reset(token)


def written(level: str, log_format: LogFormat) -> io.StringIO:
    stream = io.StringIO()
    configure_logging(level, log_format, stream)
    return stream


def log_a_fault() -> None:
    try:
        int(SECRET)
    except ValueError:
        logging.getLogger("uvicorn.error").error("It failed\n%s", SECRET, exc_info=True)


def objects(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_json_line_is_an_object_with_time_level_logger_message_and_what_was_added() -> None:
    stream = written("info", "json")

    logging.getLogger("gateway.link").warning("größer als %d", 5, extra={"topic": "t"})

    (line,) = objects(stream)
    assert line.pop("time").endswith("+00:00")
    assert line == {"level": "WARNING", "logger": "gateway.link", "message": "größer als 5", "topic": "t"}


@pytest.mark.parametrize("logger", ["uvicorn.error", "faust", "mode", "aiokafka.conn", "asyncio", "worker"])
def test_every_library_writes_the_same_lines(logger: str) -> None:
    stream = written("info", "json")

    logging.getLogger(logger).error("of them all", extra={"color_message": "\x1b[1m"})

    assert [line.keys() for line in objects(stream)] == [{"time", "level", "logger", "message"}]


def test_what_is_less_severe_than_the_level_is_not_written() -> None:
    stream = written("warning", "text")

    logging.getLogger("gateway").info("nobody asked")

    assert stream.getvalue() == ""


@pytest.mark.usefixtures("_request_id")
@pytest.mark.parametrize("level", ["info", "debug"])
def test_the_requests_id_stands_on_every_line_meanwhile(level: str) -> None:
    text = written(level, "text")
    logging.getLogger("gateway").info("said")
    structured = written(level, "json")
    logging.getLogger("gateway").info("said")

    assert text.getvalue().endswith(" INFO gateway: said [request_id r-17]\n")
    assert objects(structured)[-1]["request_id"] == "r-17"


@pytest.mark.parametrize("log_format", FORMATS)
def test_a_fault_is_told_by_type_and_place_and_not_by_what_it_says(log_format: LogFormat) -> None:
    stream = written("info", log_format)

    log_a_fault()

    (line,) = stream.getvalue().splitlines()
    assert "It failed" in line
    assert f"ValueError at {__name__}:" in line
    assert SECRET not in line


@pytest.mark.parametrize("log_format", FORMATS)
def test_at_debug_the_whole_trace_is_told(log_format: LogFormat) -> None:
    stream = written("debug", log_format)

    log_a_fault()

    assert "Traceback" in stream.getvalue()
    assert f"invalid literal for int() with base 10: '{SECRET}'" in stream.getvalue()


@pytest.mark.parametrize("log_format", FORMATS)
def test_a_task_that_nobody_waits_for_does_not_tell_either(log_format: LogFormat) -> None:
    stream = written("info", log_format)

    async def fail() -> None:
        raise ValueError(SECRET)

    async def abandon() -> None:
        await asyncio.wait([asyncio.create_task(fail())])

    asyncio.run(abandon())

    assert "Task exception was never retrieved" in stream.getvalue()
    assert "ValueError at" in stream.getvalue()
    assert SECRET not in stream.getvalue()


def test_another_writer_of_the_same_record_sees_it_whole(caplog: pytest.LogCaptureFixture) -> None:
    root = logging.getLogger()
    stream = written("info", "json")
    root.addHandler(caplog.handler)

    log_a_fault()

    assert SECRET not in stream.getvalue()
    assert SECRET in caplog.text


def test_an_exception_that_was_never_raised_has_no_place() -> None:
    assert place_of(ValueError(SECRET)) == "ValueError"


def test_a_worker_writes_the_same_lines(tmp_path: Path) -> None:
    told = {
        "NLP_WORKER_LOG_FORMAT": "json",
        "NLP_WORKER_BUNDLE": str(tmp_path / "nowhere"),
        "NLP_WORKER_HTTP_PORT": "0",
    }
    done = subprocess.run(
        [sys.executable, "-m", "worker"], env={**os.environ, **told}, capture_output=True, text=True, timeout=60
    )
    lines = [json.loads(line) for line in done.stderr.splitlines()]

    assert done.returncode == 1
    assert {line["logger"] for line in lines} == {"worker"}
    assert lines[-1]["message"].startswith("invalid_bundle: ")
