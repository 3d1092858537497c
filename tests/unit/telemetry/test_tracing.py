"""The switch: without it nothing of OpenTelemetry is there, with it nothing of it can hold us up."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Event, Thread

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import INVALID_SPAN
from pydantic import ValidationError

from telemetry import tracing
from telemetry.tracing import TracingSettings, start_tracing

_WORKER_WITHOUT = """
import sys
import worker.__main__
from telemetry.tracing import TracingSettings, start_tracing
assert start_tracing(TracingSettings(), "nlp-worker") is None
print(*[name for name in sys.modules if name.startswith("opentelemetry")])
"""
_GATEWAY_WITHOUT = """
import sys
import fastapi.applications
before = set(sys.modules)
import gateway.__main__
from telemetry.tracing import TracingSettings, start_tracing
assert start_tracing(TracingSettings(), "nlp-gateway") is None
print(*[name for name in set(sys.modules) - before if name.startswith("opentelemetry")])
"""


@pytest.mark.parametrize("script", [_WORKER_WITHOUT, _GATEWAY_WITHOUT], ids=["worker", "gateway"])
def test_without_the_switch_nothing_of_opentelemetry_is_imported(script: str) -> None:
    # FastAPI imports the API by itself; we bring nothing of it along.
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert answer.stdout.split() == []


def test_the_switch_needs_the_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "_EXPORTER", "opentelemetry.exporter.that.is.not_there")

    with pytest.raises(ValidationError, match=r"requirements-tracing\.txt"):
        TracingSettings(enabled=True)


def test_without_the_switch_the_packages_are_not_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "_EXPORTER", "opentelemetry.exporter.that.is.not_there")

    assert not TracingSettings(enabled=False).enabled


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, "nlp-worker"),
        ({"OTEL_SERVICE_NAME": "ours"}, "ours"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "service.name=theirs,deployment.environment.name=test"}, "theirs"),
    ],
)
def test_the_operator_may_name_the_service(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], expected: str
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    spans = start_tracing(TracingSettings(enabled=True), "nlp-worker")

    assert spans is not None
    assert isinstance(spans.provider, TracerProvider)
    assert spans.provider.resource.attributes["service.name"] == expected
    spans.shut_down()


def test_a_collector_that_hangs_holds_up_neither_spans_nor_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    with _hanging_collector() as (endpoint, was_asked, has_answered):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "3600")
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
        spans = start_tracing(TracingSettings(enabled=True), "nlp-worker")
        assert spans is not None

        # More than the queue holds: what does not fit is dropped, and nobody waits.
        for offset in range(5_000):
            span = spans.process("nlp.documents", (), {"messaging.kafka.offset": offset})
            spans.end(span)
        assert was_asked.wait(20)
        spans.shut_down()

        assert not has_answered.is_set(), "it waited for the collector"


def test_a_collector_that_is_away_costs_no_span_an_error(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.2")
    spans = start_tracing(TracingSettings(enabled=True), "nlp-worker")
    assert spans is not None

    span = spans.process("nlp.documents", (), {})
    spans.end(span)
    spans.shut_down()

    assert span is not INVALID_SPAN
    assert [record.levelname for record in caplog.records if record.name.startswith("opentelemetry")] == ["ERROR"]


@contextmanager
def _hanging_collector() -> Iterator[tuple[str, Event, Event]]:
    """Serve a collector that takes spans and answers long after anybody's patience, or when the block is left."""
    was_asked, may_answer, has_answered = Event(), Event(), Event()

    class Hanging(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            was_asked.set()
            may_answer.wait(120)
            has_answered.set()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Hanging)
    serving = Thread(target=server.serve_forever, daemon=True)
    serving.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", was_asked, has_answered
    finally:
        may_answer.set()
        server.shutdown()
        serving.join()
        server.server_close()
