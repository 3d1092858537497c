"""Sets through a bundle's graph, once: what the heads said can then be decoded under any temperatures."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn

from schemas import Manifest, Record
from training.sets import LabelledSet
from worker.bundle import Bundle
from worker.encoder import Encoder
from worker.inference import Inference
from worker.tasks import Encoded, build_tasks

_CHUNK = 128  # records read between two steps of the progress bar; their windows are batched by length


@dataclass(frozen=True, slots=True)
class ReadSet:
    """A set and what the heads said of each of its requests."""

    labelled: LabelledSet
    encoded: Sequence[Encoded]

    def results(self, manifest: Manifest) -> list[Record]:
        """Return the results that a bundle with this manifest gives."""
        task = build_tasks(manifest)[self.labelled.contract.name]
        return [
            task.decode(str(number), request, [encoded])
            for number, (request, encoded) in enumerate(zip(self.labelled.requests, self.encoded, strict=True))
        ]


class Reader:
    """Reads sets with one graph of a bundle, moving a progress bar for each."""

    def __init__(self, bundle: Bundle, graph: Path, threads: int, progress: Progress) -> None:
        self._inference = Inference(bundle, Encoder(graph, bundle.manifest.outputs, threads))
        self._tasks = build_tasks(bundle.manifest)
        self._progress = progress

    def read(self, labelled: LabelledSet, title: str) -> ReadSet:
        """Return the set with what the graph says of it: each request is one passage."""
        task = self._tasks[labelled.contract.name]
        passages = [passage for request in labelled.requests for passage in task.passages(request)]
        bar = self._progress.add_task(f"{title} {labelled.name}", total=len(passages))
        encoded: list[Encoded] = []
        for first in range(0, len(passages), _CHUNK):
            encoded += self._inference.encode(passages[first : first + _CHUNK])
            self._progress.update(bar, completed=len(encoded))
        return ReadSet(labelled, encoded)


@contextmanager
def progress_bars(console: Console) -> Iterator[Progress]:
    """Show progress bars that say how many are done and how long the rest will take."""
    columns = (*Progress.get_default_columns()[:-1], MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        yield progress


def at_temperature(manifest: Manifest, head: str, temperature: float) -> Manifest:
    """Return the manifest with another temperature of one head."""
    return manifest.model_copy(update={"temperatures": {**manifest.temperatures, head: temperature}})


def uncalibrated(manifest: Manifest) -> Manifest:
    """Return the manifest with every temperature at 1."""
    return manifest.model_copy(update={"temperatures": dict.fromkeys(manifest.temperatures, 1.0)})
