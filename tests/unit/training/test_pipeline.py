"""The steps come in order, the first that fails is the last, and its status is the run's."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mlflow import MlflowClient
from rich.console import Console

from training.checkpoint import CHECKPOINT_FILE
from training.exits import Exit
from training.pipeline import Step, plan, run
from training.settings import PipelineSettings
from training.tracking import EXPERIMENT


def _settings(directory: Path, **changed: object) -> PipelineSettings:
    return PipelineSettings.model_validate(
        {"output": directory, "bundle": directory / "bundle", "data": directory / "sets", **changed}
    )


def _script(text: str, tolerated: frozenset[int] = frozenset()) -> Step:
    return Step("script", (sys.executable, "-c", text), tolerated)


def _titles(settings: PipelineSettings) -> list[str]:
    return [step.title for step in plan(settings)]


def test_steps_lead_from_the_sets_to_the_registry(tmp_path: Path) -> None:
    settings = _settings(tmp_path, mlflow_tracking_uri="http://127.0.0.1:1")

    assert _titles(settings) == ["prepare", "train", "bundle", "calibrate", "evaluate", "gate", "register"]


@pytest.mark.parametrize("changed", [{}, {"quick": True, "mlflow_tracking_uri": "http://127.0.0.1:1"}])
def test_nothing_is_registered_without_mlflow_or_after_a_quick_run(tmp_path: Path, changed: dict[str, object]) -> None:
    assert _titles(_settings(tmp_path, **changed))[-1] == "gate"


def test_what_one_step_writes_the_next_one_reads(tmp_path: Path) -> None:
    commands = {
        step.title: step.command for step in plan(_settings(tmp_path, mlflow_tracking_uri="http://127.0.0.1:1"))
    }

    def value(title: str, flag: str) -> str:
        return commands[title][commands[title].index(flag) + 1]

    assert value("bundle", "--weights") == str(Path(value("train", "--output")) / "weights.safetensors")
    assert {value(title, "--bundle") for title in ("bundle", "calibrate", "evaluate", "gate", "register")} == {
        str(tmp_path / "bundle")
    }
    assert value("gate", "--gate-report") == value("register", "--gate-report")


def test_a_run_is_resumed_from_its_checkpoint_only(tmp_path: Path) -> None:
    settings = _settings(tmp_path, resume=True)

    before = next(step for step in plan(settings) if step.title == "train")
    (tmp_path / CHECKPOINT_FILE).touch()
    after = next(step for step in plan(settings) if step.title == "train")

    assert "--resume" not in before.command
    assert "--resume" in after.command


def test_the_first_step_that_fails_ends_the_run_with_its_status(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    steps = [_script("pass"), _script(f"raise SystemExit({Exit.DATA:d})"), _script(f"open({str(mark)!r}, 'w')")]

    assert run(steps, Console(quiet=True), {}) == Exit.DATA
    assert not mark.exists()


def test_a_quick_run_goes_on_after_the_gates_refusal(tmp_path: Path) -> None:
    gate = list(plan(_settings(tmp_path, quick=True)))[-1]
    steps = [_script(f"raise SystemExit({Exit.GATE:d})", gate.tolerated)]

    assert run(steps, Console(quiet=True), {}) == 0


def test_a_refusal_ends_every_other_run(tmp_path: Path) -> None:
    gate = list(plan(_settings(tmp_path)))[-1]
    steps = [_script(f"raise SystemExit({Exit.GATE:d})", gate.tolerated)]

    assert run(steps, Console(quiet=True), {}) == Exit.GATE


def test_a_resumed_run_is_the_same_run_to_mlflow(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    client = MlflowClient(uri)
    experiment = client.create_experiment(EXPERIMENT, artifact_location=str(tmp_path))
    begun = client.create_run(experiment, run_name="pipeline").info.run_id
    torch.save({"run_id": begun}, tmp_path / CHECKPOINT_FILE)
    command = [sys.executable, "-m", "training.pipeline", "--output", str(tmp_path), "--data", str(tmp_path / "none")]

    ended = subprocess.run([*command, "--resume", "--mlflow-tracking-uri", uri], capture_output=True, check=False)

    assert ended.returncode == Exit.DATA
    assert [(run.info.run_id, run.info.status) for run in client.search_runs([experiment])] == [(begun, "FAILED")]


# The step sleeps longer than the test waits for its end, so that only being ended can end it; a failure leaves it no
# longer than that.
_ENDED = """
import signal, sys
from rich.console import Console
from training.pipeline import Step, end_with_step, run

signal.signal(signal.SIGTERM, end_with_step)
waits = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
run([Step("waits", (sys.executable, "-c", waits))], Console(stderr=True), {})
"""


def test_a_run_that_is_ended_leaves_no_step_behind() -> None:
    command = [sys.executable, "-c", _ENDED]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3]) as pipeline:
        assert pipeline.stdout is not None
        step = int(pipeline.stdout.readline())
        pipeline.terminate()
        status = pipeline.wait(30)

    assert status == 128 + signal.SIGTERM
    with pytest.raises(ProcessLookupError):
        os.kill(step, 0)
