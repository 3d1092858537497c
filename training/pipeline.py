"""All steps from the public sets to a registered bundle: `python -m training.pipeline`.

Each step is a command of its own with a process of its own, so that whatever this does can be done by hand, and what
one step held in memory is gone in the next. The first that fails ends the run with its status.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import FrameType

from pydantic_settings import CliApp
from rich.console import Console

from training.checkpoint import CHECKPOINT_FILE, checkpoint_run_id
from training.exits import Exit, leave
from training.settings import WEIGHTS_FILE, PipelineSettings
from training.tracking import TrackingError, open_run_id, tracked_run

_QUICK_TRAINING = ("--limit", "400", "--epochs", "1")
_QUICK_SCORING = ("--limit", "100")


@dataclass(frozen=True, slots=True)
class Step:
    """A command line, and the statuses besides 0 after which the next step is taken all the same."""

    title: str
    command: tuple[str, ...]
    tolerated: frozenset[int] = frozenset()


def plan(settings: PipelineSettings) -> Iterator[Step]:
    """Yield the steps in order.

    Registering is left out where no MLflow is set, and of a quick run: that has trained too little to pass the gate,
    which says so and does not end it.
    """
    data = () if settings.data is None else ("--data", str(settings.data))
    bundle = ("--bundle", str(settings.bundle))
    scored = (*data, *bundle, *(_QUICK_SCORING if settings.quick else ()))
    report = ("--gate-report", str(settings.output / "gate.json"))
    identity = ("--name", settings.name, "--version", settings.version)
    yield _step("prepare", *data)
    yield _step("train", *data, *_training(settings))
    yield _step("bundle", *bundle, *identity, "--weights", str(settings.output / WEIGHTS_FILE))
    yield _step("calibrate", *scored)
    yield _step("evaluate", *scored)
    tolerated = frozenset({Exit.GATE}) if settings.quick else frozenset[int]()
    yield _step("gate", *scored, *report, "--shipped", str(settings.shipped), tolerated=tolerated)
    if settings.mlflow_tracking_uri and not settings.quick:
        yield _step("register", *bundle, *report)


def _step(module: str, *arguments: str, tolerated: frozenset[int] = frozenset()) -> Step:
    return Step(module, (sys.executable, "-m", f"training.{module}", *arguments), tolerated)


def _training(settings: PipelineSettings) -> Iterator[str]:
    yield from ("--output", str(settings.output))
    if settings.start is not None:
        yield from ("--start", str(settings.start))
    if settings.quick:
        yield from _QUICK_TRAINING
    # A run that was ended before its first checkpoint begins anew.
    if settings.resume and (settings.output / CHECKPOINT_FILE).is_file():
        yield "--resume"


def run(steps: Sequence[Step], console: Console, environment: Mapping[str, str]) -> int:
    """Run the steps until one fails; return its status, 0 where none did."""
    for number, step in enumerate(steps, start=1):
        console.rule(f"{number} of {len(steps)}: {step.title}")
        begun = time.monotonic()
        status = subprocess.run(step.command, env=environment, check=False).returncode
        outcome = "done" if status == 0 else f"status {status}"
        console.print(f"{step.title}: {outcome} after {time.monotonic() - begun:.0f} s")
        if status not in {0, *step.tolerated}:
            return status
    return 0


def end_with_step(number: int, _frame: FrameType | None) -> None:
    """Leave on a signal, and `subprocess.run` ends its step: left behind, it would train on beside a resumed run."""
    sys.exit(128 + number)


def main() -> None:
    """Run all steps with the settings of the command line; what only one step knows comes from the environment."""
    settings = CliApp.run(PipelineSettings)
    signal.signal(signal.SIGTERM, end_with_step)
    try:
        with tracked_run(settings, "pipeline", checkpoint_run_id(settings.output) if settings.resume else None):
            run_id = open_run_id()
            shared = {} if run_id is None else {"MLFLOW_RUN_ID": run_id}
            sys.exit(run(list(plan(settings)), Console(), {**os.environ, **shared}))  # within: the run is told
    except TrackingError as wrong:
        leave("Nothing was run", wrong)


if __name__ == "__main__":
    main()
