"""Exit statuses of the training commands: what went wrong, for scripts."""

import sys
from enum import IntEnum
from typing import NoReturn

from schemas.errors import BundleError
from training.checkpoint import ResumeError
from training.data import DataError
from training.encoders import WeightsError
from training.export import ExportError
from training.tracking import TrackingError


class Exit(IntEnum):
    """0 is success, 1 a fault that nobody foresaw, 2 a setting that cannot be (argparse's own)."""

    DATA = 3
    """A set is missing, cannot be fetched, or does not hold what it should."""
    WEIGHTS = 4
    """Weights, a checkpoint or a bundle are missing or do not fit."""
    GRAPH = 5
    """The graph does not compute what the model computes, or is too large."""
    GATE = 6
    """The bundle is not good enough."""
    MLFLOW = 7
    """MLflow is asked for and cannot be had."""


_STATUSES: dict[type[Exception], Exit] = {
    DataError: Exit.DATA,
    WeightsError: Exit.WEIGHTS,
    ResumeError: Exit.WEIGHTS,
    BundleError: Exit.WEIGHTS,
    ExportError: Exit.GRAPH,
    TrackingError: Exit.MLFLOW,
}


def leave(what: str, wrong: Exception) -> NoReturn:
    """End the process with a line on standard error and the status that belongs to the fault."""
    print(f"{what}: {wrong}", file=sys.stderr)
    sys.exit(next(status for kind, status in _STATUSES.items() if isinstance(wrong, kind)))
