"""A run's state on disk, and its weights: what a resumed run goes on from, and what a bundle is made of."""

import json
import os
from pathlib import Path
from typing import Any

import torch

from training.loop import Loop
from training.settings import WEIGHTS_FILE, TrainSettings
from training.weights import OUR_TEXTS, read_history, save_weights

CHECKPOINT_FILE = "checkpoint.pt"

_MAY_CHANGE = {"epochs", "decay", "short_windows", "resume", "checkpoint_minutes"}
_OF_THIS_MACHINE = {"data", "output", "bundle", "start", "teachers", "mlflow_tracking_uri", "device", "threads"}
_SETS = {"sentiment": "SST-2 (GLUE) train", "ner": "CoNLL-2003 English train", "qa": "SQuAD 1.1 train"}


class ResumeError(Exception):
    """There is no checkpoint to go on from, or it belongs to another run."""


def save_checkpoint(loop: Loop, settings: TrainSettings, digests: dict[str, str], run_id: str | None) -> None:
    """Write the run's state; an interruption meanwhile leaves the one before.

    `digests`: task to the sha256 of its examples. `run_id` is MLflow's.
    """
    path = settings.output / CHECKPOINT_FILE
    part = path.with_suffix(".part")
    torch.save(
        {
            "loop": loop.state(),
            "settings": settings.model_dump(mode="json"),
            "examples": digests,
            "run_id": run_id,
        },
        part,
    )
    os.replace(part, path)


def load_checkpoint(settings: TrainSettings, digests: dict[str, str]) -> dict[str, Any]:
    """Return `loop`, the state, and `run_id` of the output's checkpoint; raises `ResumeError`."""
    path = settings.output / CHECKPOINT_FILE
    if not path.is_file():
        raise ResumeError(f"{path}: no checkpoint to resume from")
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    now, before = settings.model_dump(mode="json"), state["settings"]
    kept = now.keys() - _MAY_CHANGE - _OF_THIS_MACHINE
    changed = [
        f"{name} was {before.get(name)} and is {now[name]}" for name in sorted(kept) if now[name] != before.get(name)
    ]
    if changed:
        raise ResumeError(f"{path}: of a run with other settings: {', '.join(changed)}")
    learnt = state.get("examples", {})
    if others := [task for task, digest in digests.items() if learnt.get(task) != digest]:
        raise ResumeError(f"{path}: of a run with other examples: {', '.join(others)}")
    return state


def checkpoint_run_id(output: Path) -> str | None:
    """Return the id of the MLflow run that a checkpoint belongs to; None where there is none of either."""
    path = output / CHECKPOINT_FILE
    if not path.is_file():
        return None
    run_id: str | None = torch.load(path, map_location="cpu", weights_only=True, mmap=True)["run_id"]
    return run_id


def save_epoch(loop: Loop, settings: TrainSettings, epoch: int, figures: dict[str, float], seconds: float) -> None:
    """Write the weights and their history, under the epoch's name and under the one that is always the latest.

    `seconds` is the processor time that the run has taken.
    """
    history = json.dumps(_history(loop, settings, figures, seconds), indent=2) + "\n"
    for name in (f"epoch-{epoch}.safetensors", WEIGHTS_FILE):
        path = settings.output / name
        save_weights(loop.trained(), path)
        path.with_suffix(".json").write_text(history, encoding="utf-8")


def _history(loop: Loop, settings: TrainSettings, figures: dict[str, float], seconds: float) -> dict[str, Any]:
    return {
        "stage": f"fine-tuned for {loop.step} of {loop.total_steps} steps",
        "base": "sentence-transformers/all-MiniLM-L6-v2, word embeddings frozen"
        if settings.start is None
        else read_history(settings.start),
        "data": {task: _SETS[task] + (f" and {OUR_TEXTS}" if settings.written else "") for task in settings.tasks},
        "settings": settings.model_dump(mode="json", exclude=_OF_THIS_MACHINE | {"resume"}),
        "passes": {task: round(passes, 2) for task, passes in loop.passes.items()},
        "steps_by_window": loop.taken,
        "tokens": loop.tokens,
        "processor_hours": round(seconds / 3600, 2),
        "held_out": {name: round(value, 5) for name, value in figures.items()},
    }
