"""The tasks this worker answers: one for each contract."""

from typing import Any

from schemas import Manifest
from worker.tasks.base import Encoded, Task
from worker.tasks.document import DocumentTask
from worker.tasks.ner import NerTask
from worker.tasks.qa import QaTask
from worker.tasks.sentiment import SentimentTask

AnyTask = Task[Any, Any]

TASK_TYPES: tuple[type[AnyTask], ...] = (SentimentTask, NerTask, QaTask, DocumentTask)


def build_tasks(manifest: Manifest) -> dict[str, AnyTask]:
    """Return the tasks by the name of their contract."""
    return {task_type.contract.name: task_type(manifest) for task_type in TASK_TYPES}


__all__ = ["TASK_TYPES", "AnyTask", "Encoded", "Task", "build_tasks"]
