"""Prometheus takes its configuration, and every alert fires when it should and only then."""

import subprocess
from pathlib import Path

import pytest
import yaml

from tests.unit.deploy.promtool_binary import BUILD_S, MODULE, PromtoolMissing, provide_promtool

PROMETHEUS = Path("deploy/prometheus")
RULE_FILES = sorted((PROMETHEUS / "rules").glob("*.yml"))
RULE_TESTS = sorted((PROMETHEUS / "tests").glob("*.yml"))
RULES = [rule for file in RULE_FILES for group in yaml.safe_load(file.read_text())["groups"] for rule in group["rules"]]
ALERTS = {rule["alert"]: rule for rule in RULES if "alert" in rule}

# Building promtool counts into the first test that wants it.
slow_at_first = pytest.mark.timeout(2 * BUILD_S)


@pytest.fixture(scope="module")
def promtool() -> Path:
    try:
        return provide_promtool()
    except PromtoolMissing as missing:
        pytest.skip(f"promtool is not built here yet, and cannot be: {missing}")


def _run(*command: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=60)


@slow_at_first
def test_prometheus_takes_its_configuration_and_rules(promtool: Path) -> None:
    done = _run(promtool, "check", "config", "--lint=all", "--lint-fatal", PROMETHEUS / "prometheus.yml")

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("rules found") == len(RULE_FILES)


@slow_at_first
@pytest.mark.parametrize("tests", RULE_TESTS, ids=lambda path: path.stem)
def test_rules_say_what_their_tests_expect(promtool: Path, tests: Path) -> None:
    done = _run(promtool, "test", "rules", tests)

    assert done.returncode == 0, done.stdout + done.stderr


@slow_at_first
def test_a_rule_that_does_not_fire_fails_its_test(promtool: Path, tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "tests").mkdir()
    for file in RULE_FILES:
        (tmp_path / "rules" / file.name).write_text(file.read_text().replace("nlp_ready == 0", "nlp_ready == 2"))
    tests = tmp_path / "tests" / "worker.yml"
    tests.write_text((PROMETHEUS / "tests" / "worker.yml").read_text())

    done = _run(promtool, "test", "rules", tests)

    assert done.returncode == 1
    assert "alertname: NlpWorkerUnready" in done.stdout + done.stderr


def _expectations() -> dict[str, list[bool]]:
    """Return for each alert whether its tests expect it to fire, one by one."""
    found: dict[str, list[bool]] = {}
    for file in RULE_TESTS:
        for case in yaml.safe_load(file.read_text())["tests"]:
            for expected in case.get("alert_rule_test", []):
                found.setdefault(expected["alertname"], []).append(bool(expected.get("exp_alerts")))
    return found


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_is_tested_both_ways(alert: str) -> None:
    assert set(_expectations().get(alert, [])) == {True, False}


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_says_how_bad_it_is_and_where_it_is_explained(alert: str) -> None:
    rule = ALERTS[alert]

    assert rule["labels"]["severity"] in ("critical", "warning")
    assert rule["annotations"].keys() == {"summary", "description", "runbook"}
    assert rule["annotations"]["runbook"] == f"docs/operations.md#{alert.lower()}"


def test_promtool_is_the_version_of_the_prometheus_that_runs() -> None:
    compose = yaml.safe_load(Path("docker-compose.yml").read_text())
    version = compose["services"]["prometheus"]["image"].removeprefix("prom/prometheus:v3.").split(".")

    # Prometheus numbers its Go module v0.<3MM>.<patch>: 3.5.0 is v0.305.0.
    assert f"github.com/prometheus/prometheus v0.3{int(version[0]):02}.{version[1]}" in (MODULE / "go.mod").read_text()
