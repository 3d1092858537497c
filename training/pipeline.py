"""All steps from the public sets to a registered bundle: `python -m training.pipeline`.

Each step is a command of its own with a process of its own, so that whatever this does can be done by hand, and what
one step held in memory is gone in the next. The first that fails ends the run with its status.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pydantic_settings import CliApp
from rich.console import Console

from training.checkpoint import CHECKPOINT_FILE
from training.exits import leave
from training.settings import WEIGHTS_FILE, PipelineSettings
from training.tracking import TrackingError, open_run_id, tracked_run


@dataclass(frozen=True, slots=True)
class Step:
    """A command: the module that runs and its arguments."""

    module: str
    arguments: tuple[str, ...]

    @property
    def command(self) -> list[str]:
        """The command line, with this very Python."""
        return [sys.executable, "-m", f"training.{self.module}", *self.arguments]


QUICK = {"--limit": "800", "--epochs": "1"}
"""What `--quick` trains on: minutes on a laptop, and every step runs."""
QUICK_SCORED = ("--limit", "200")


def plan(settings: PipelineSettings) -> Iterator[Step]:
    """Yield the steps in order. Registering is left out where no MLflow is set: there is nothing to register with."""
    data = () if settings.data is None else ("--data", str(settings.data))
    bundle = ("--bundle", str(settings.bundle))
    scored = (*data, *bundle, *(QUICK_SCORED if settings.quick else ()))
    report = ("--gate-report", str(settings.output / "gate.json"))
    identity = ("--name", settings.name, "--version", settings.version)
    yield Step("prepare", data)
    yield Step("train", (*data, *_training(settings)))
    yield Step("bundle", (*bundle, *identity, "--weights", str(settings.output / WEIGHTS_FILE)))
    yield Step("calibrate", scored)
    yield Step("evaluate", scored)
    yield Step("gate", (*scored, *report, "--shipped", str(settings.shipped)))
    if settings.mlflow_tracking_uri:
        yield Step("register", (*bundle, *report))


def _training(settings: PipelineSettings) -> Iterator[str]:
    yield from ("--output", str(settings.output))
    if settings.quick:
        for flag, value in QUICK.items():
            yield from (flag, value)
    if settings.start is not None:
        yield from ("--start", str(settings.start))
    # A run that was ended before its first checkpoint begins anew.
    if settings.resume and (settings.output / CHECKPOINT_FILE).is_file():
        yield "--resume"


def run(steps: Sequence[Step], console: Console, environment: dict[str, str]) -> int:
    """Run the steps until one fails; return the status of the last."""
    for number, step in enumerate(steps, start=1):
        console.rule(f"{number} of {len(steps)}: {step.module}")
        begun = time.monotonic()
        status = subprocess.run(step.command, env=environment, check=False).returncode
        console.print(
            f"{step.module}: {'done' if status == 0 else f'status {status}'} after {time.monotonic() - begun:.0f} s"
        )
        if status != 0:
            return status
    return 0


def main() -> None:
    """Run all steps with the settings of the command line; those of single steps come from the environment."""
    settings = CliApp.run(PipelineSettings)
    try:
        with tracked_run(settings, "pipeline"):
            run_id = open_run_id()
            shared = {} if run_id is None else {"MLFLOW_RUN_ID": run_id}
            status = run(list(plan(settings)), Console(), {**os.environ, **shared})
    except TrackingError as wrong:
        leave("Nothing was run", wrong)
    sys.exit(status)


if __name__ == "__main__":
    main()
