"""What the choices of a training are worth: `python -m benchmarks.choices --data DIRECTORY`.

Every run is `python -m training.train` with one setting changed, and is judged by what is held out. A run that has
ended is not made again and one that was interrupted goes on, so the comparison can be stopped, and extended: the
trainings under way end with it.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev

from benchmarks.marked import write_between
from local import process
from training.card import HELD_OUT_TITLES, markdown_table
from training.checkpoint import CHECKPOINT_FILE
from training.settings import WEIGHTS_FILE
from training.weights import read_history

RESULTS = Path(__file__).with_name("choices.json")
REPORT = Path(__file__).parents[1] / "docs" / "training.md"
BEGIN, END = "<!-- choices: written by `python -m benchmarks.choices` -->", "<!-- end of choices -->"

_SETS_ALONE = ("--written", "0", "--altered-questions", "0")
"""What was compared before the project had texts of its own."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A setting of its own, and how many seeds are run with it."""

    title: str
    arguments: tuple[str, ...] = ()
    seeds: int = 1


@dataclass(frozen=True, slots=True)
class Study:
    """Runs that differ in one setting; the first choice is what the others are compared with."""

    name: str
    title: str
    arguments: tuple[str, ...]
    choices: tuple[Choice, ...]


@dataclass(frozen=True, slots=True)
class Run:
    """A training with one choice and one seed."""

    study: Study
    choice: Choice
    seed: int

    @property
    def directory(self) -> Path:
        """Where the run writes, below the directory of all."""
        return Path(self.study.name) / f"{self.choice.title.replace(',', '').replace(' ', '-')}-seed-{self.seed}"

    def command(self, output: Path, options: argparse.Namespace) -> list[str]:
        """Return the command line that writes into `output`."""
        shared = ("--data", str(options.data), "--threads", str(options.threads), "--output", str(output))
        given = [*shared, *self.study.arguments, *self.choice.arguments, "--seed", str(self.seed)]
        if options.bf16:
            given.append("--bf16")
        if (output / CHECKPOINT_FILE).is_file():
            given.append("--resume")
        return [sys.executable, "-m", "training.train", *given]


Results = dict[str, dict[str, dict[str, dict[str, float]]]]
"""Study to choice to seed to metric to fraction."""


def studies(pilot: Path | None, teachers: Path | None) -> list[Study]:
    """Return all that is compared; without the files of a choice that choice is left out."""
    together = [
        Choice("square root sampling", seeds=3),
        Choice("proportional sampling", ("--sampling", "proportional")),
        Choice("round robin", ("--sampling", "round_robin")),
    ]
    if pilot is not None:
        together.append(Choice("start from the pilot", ("--start", str(pilot))))
    if teachers is not None:
        together.append(Choice("single-task teachers", ("--teachers", str(teachers))))
    together.append(Choice("annealed sampling", ("--sampling", "annealed")))
    return [
        Study(
            "sentiment",
            "SST-2 alone, 3 passes",
            ("--tasks", "sentiment", "--epochs", "3", *_SETS_ALONE),
            (Choice("no dropout"), Choice("dropout 0.1", ("--dropout", "0.1"))),
        ),
        Study(
            "sentiment-short",
            "SST-2 alone, 1 pass",
            ("--tasks", "sentiment", "--epochs", "1"),
            (
                Choice("as it is", _SETS_ALONE),
                Choice("half the learning rate", ("--learning-rate", "6e-5", *_SETS_ALONE)),
                Choice("with our own texts"),
            ),
        ),
        Study(
            "ner",
            "CoNLL-2003 alone, 1 pass",
            ("--tasks", "ner", "--epochs", "1"),
            (
                Choice("as it is", seeds=2),
                Choice("dropout 0.1", ("--dropout", "0.1")),
                Choice("half the learning rate", ("--learning-rate", "6e-5")),
                Choice("twice the learning rate", ("--learning-rate", "2.4e-4")),
                Choice("layer decay 0.8", ("--layer-decay", "0.8")),
                Choice("average, decay 0.97", ("--average", "0.97")),
            ),
        ),
        Study(
            "together",
            "all three sets, a tenth of an epoch, windows of 128 tokens",
            ("--epochs", "0.1", "--short-windows", "1", *_SETS_ALONE),
            tuple(together),
        ),
    ]


def runs_of(study: Study) -> Iterator[Run]:
    """Yield the runs of a study: every choice once before any twice, so that a stopped comparison has them all."""
    for seed in range(max(choice.seeds for choice in study.choices)):
        yield from (Run(study, choice, seed) for choice in study.choices if seed < choice.seeds)


def make_all(runs: Sequence[Run], options: argparse.Namespace) -> None:
    """Make the runs that are missing, so many at a time; raises `CalledProcessError` of one, and ends the others."""
    trainings: list[subprocess.Popen[bytes]] = []
    pool = ThreadPoolExecutor(options.jobs)
    try:
        list(pool.map(lambda run: make(run, options, trainings), runs))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for training in trainings:
            process.kill(training)


def make(run: Run, options: argparse.Namespace, trainings: list[subprocess.Popen[bytes]]) -> None:
    """Train until the run's weights are there, and list the training; raises `CalledProcessError`."""
    directory: Path = options.output / run.directory
    if directory.is_dir():
        return
    part = directory.with_name(directory.name + ".part")
    part.mkdir(parents=True, exist_ok=True)
    command = run.command(part, options)
    with (part / "log").open("ab") as log:
        training = process.start(command, output=log)
        trainings.append(training)
        status = training.wait()
    if status != 0:
        raise subprocess.CalledProcessError(status, command)
    part.rename(directory)
    print(f"{run.directory}: done", flush=True)


def collect(runs: Sequence[Run], output: Path, kept: Results) -> Results:
    """Return what is held out says of the runs: of those that have not ended here, what was kept before."""
    results: Results = {}
    for run in runs:
        weights = output / run.directory / WEIGHTS_FILE
        before = kept.get(run.study.title, {}).get(run.choice.title, {}).get(str(run.seed), {})
        found: Mapping[str, float] = read_history(weights)["held_out"] if weights.is_file() else before
        if found:
            seeds = results.setdefault(run.study.title, {}).setdefault(run.choice.title, {})
            seeds[str(run.seed)] = {name: found[name] for name in HELD_OUT_TITLES if name in found}
    return results


def render(results: Results) -> str:
    """Return a table for each study: means in percent, and the standard deviation where there are several seeds."""
    parts = []
    for study, choices in results.items():
        names = [
            name
            for name in HELD_OUT_TITLES
            if any(name in each for seeds in choices.values() for each in seeds.values())
        ]
        rows = [
            [choice, str(len(seeds)), *(_figure(seeds.values(), name) for name in names)]
            for choice, seeds in choices.items()
        ]
        table = markdown_table(["choice", "seeds", *(HELD_OUT_TITLES[name] for name in names)], rows)
        parts.append(f"{study[0].upper()}{study[1:]}:\n\n{table}")
    return "\n\n".join(parts)


def _figure(seeds: Iterable[Mapping[str, float]], name: str) -> str:
    percents = [100 * each[name] for each in seeds if name in each]
    if not percents:  # runs of before this was measured
        return "–"
    spread = f" ± {stdev(percents):.2f}" if len(percents) > 1 else ""
    return f"{fmean(percents):.2f}{spread}"


def keep(results: Results) -> None:
    """Write the figures down, and the tables into the report."""
    RESULTS.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    write_between(REPORT, BEGIN, END, render(results))


def main() -> int:
    """Make the runs that are missing, and write the tables; return the exit status."""
    options = _parse()
    wanted = _runs(studies(options.pilot, options.teachers))
    if options.only is not None:
        wanted = [run for run in wanted if run.study.name == options.only]
    try:
        make_all(wanted, options)
    except subprocess.CalledProcessError as failed:
        print(f"A run failed with status {failed.returncode}, see its log: {' '.join(failed.cmd)}", file=sys.stderr)
        return 1
    results = collect(_runs(studies(Path(), Path())), options.output, json.loads(RESULTS.read_bytes()))
    print(render(results))
    keep(results)
    return 0


def _runs(compared: Sequence[Study]) -> list[Run]:
    return [run for study in compared for run in runs_of(study)]


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.choices", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="directory of the sets")
    parser.add_argument("--output", type=Path, default=Path("var/choices"), help="directory of the runs")
    parser.add_argument("--only", choices=[study.name for study in studies(None, None)], help="make these runs only")
    parser.add_argument("--pilot", type=Path, help="weights of an earlier fine-tune to start from")
    parser.add_argument("--teachers", type=Path, help="directory with <task>.safetensors of models of one task each")
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time; they share the memory's bandwidth")
    parser.add_argument("--threads", type=int, default=1, help="threads of each run")
    parser.add_argument("--bf16", action="store_true", help="compute in bfloat16: twice as fast where the CPU has it")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
