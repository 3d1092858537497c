"""The comparison of choices: which runs there are, what each is told, and what the tables say of them."""

import argparse
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import choices
from benchmarks.choices import (
    BEGIN,
    END,
    REPORT,
    RESULTS,
    Choice,
    Run,
    Study,
    collect,
    make,
    render,
    runs_of,
    studies,
)
from benchmarks.marked import read_between
from local import process

_STUDY = Study(
    "ner",
    "CoNLL alone",
    ("--tasks", "ner"),
    (Choice("no dropout", seeds=2), Choice("dropout 0.1", ("--dropout", "0.1"))),
)


# Trainings that wait, and tell when nobody ends them. Ctrl-C may be off where the tests run.
_ENDED = """
import argparse, pathlib, signal, sys
from benchmarks.choices import Choice, Run, Study, make_all
signal.signal(signal.SIGINT, signal.default_int_handler)
output = pathlib.Path(sys.argv[1])
waits = (
    "import sys, time; told = open(sys.argv[1], 'w'); print('begun', file=told, flush=True);"
    "time.sleep(60); print('left behind', file=told)"
)
Run.command = lambda run, *_: [sys.executable, "-c", waits, str(output / f"seed-{run.seed}")]
choice = Choice("waits", seeds=2)
study = Study("waiting", "", (), (choice,))
make_all([Run(study, choice, seed) for seed in range(2)], argparse.Namespace(output=output, jobs=2))
"""


def _options(output: Path) -> argparse.Namespace:
    return argparse.Namespace(data=Path("sets"), output=output, threads=1, bf16=True)


def _end(run: Run, output: Path, **held_out: float) -> None:
    directory = output / run.directory
    directory.mkdir(parents=True)
    (directory / "weights.safetensors").touch()
    (directory / "weights.json").write_text(json.dumps({"held_out": held_out | {"loss": 0.5}}))


def test_every_choice_is_made_once_before_any_twice() -> None:
    assert [(run.choice.title, run.seed) for run in runs_of(_STUDY)] == [
        ("no dropout", 0),
        ("dropout 0.1", 0),
        ("no dropout", 1),
    ]


def test_a_run_is_told_study_choice_and_seed_and_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    run = Run(_STUDY, _STUDY.choices[1], seed=4)

    begun = run.command(tmp_path, _options(tmp_path))
    (tmp_path / "checkpoint.pt").touch()
    resumed = run.command(tmp_path, _options(tmp_path))

    expected = f"--data sets --threads 1 --output {tmp_path} --tasks ner --dropout 0.1 --seed 4 --bf16"
    assert " ".join(begun[3:]) == expected
    assert " ".join(resumed[3:]) == f"{expected} --resume"


def test_a_run_that_ended_is_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(_STUDY, _STUDY.choices[0], seed=0)
    _end(run, tmp_path, ner_f1=0.9)
    monkeypatch.setattr(process, "start", lambda *_, **__: pytest.fail("was run"))

    make(run, _options(tmp_path), [])


def test_a_run_that_fails_is_not_taken_for_one_that_ended(tmp_path: Path) -> None:
    wrong = Run(_STUDY, Choice("no such flag", ("--no-such-flag",)), seed=0)

    with pytest.raises(subprocess.CalledProcessError):
        make(wrong, _options(tmp_path), [])

    assert not (tmp_path / wrong.directory).exists()
    assert "unrecognized arguments: --no-such-flag" in (tmp_path / f"{wrong.directory}.part" / "log").read_text()


_MEASURED = {"sentiment_accuracy": 0.91, "sentiment_accuracy_plain": 0.8}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_comparison_that_is_ended_leaves_no_run_behind(tmp_path: Path, number: signal.Signals) -> None:
    for seed in range(2):
        os.mkfifo(tmp_path / f"seed-{seed}")
    command = [sys.executable, "-c", _ENDED, str(tmp_path)]
    with (
        subprocess.Popen(command, cwd=Path(__file__).parents[3], stderr=subprocess.DEVNULL) as comparison,
        (tmp_path / "seed-0").open() as first,
        (tmp_path / "seed-1").open() as second,
    ):
        assert (first.readline(), second.readline()) == ("begun\n", "begun\n")
        comparison.send_signal(number)

        assert (first.read(), second.read()) == ("", "")
        assert comparison.wait(30) == -number


def test_the_table_has_the_mean_of_the_seeds_and_their_spread(tmp_path: Path) -> None:
    first, second, third = runs_of(_STUDY)
    _end(first, tmp_path, ner_f1=0.90)
    _end(second, tmp_path, ner_f1=0.93)
    _end(third, tmp_path, ner_f1=0.92)

    table = render(collect([first, second, third], tmp_path, kept={}))

    assert "| no dropout | 2 | 91.00 ± 1.41 |" in table
    assert "| dropout 0.1 | 1 | 93.00 |" in table
    assert "SQuAD" not in table


def test_what_older_runs_did_not_measure_is_a_dash() -> None:
    table = render({"SST-2 alone": {"before": {"0": {"sentiment_accuracy": 0.9}}, "now": {"0": _MEASURED}}})

    assert "| before | 1 | 90.00 | – |" in table
    assert "| now | 1 | 91.00 | 80.00 |" in table


def test_what_was_found_elsewhere_is_kept_until_it_is_found_here(tmp_path: Path) -> None:
    first, second, third = runs_of(_STUDY)
    _end(first, tmp_path, ner_f1=0.90)
    kept = {
        "CoNLL alone": {"no dropout": {"0": {"ner_f1": 0.1}, "1": {"ner_f1": 0.92}}, "gone": {"0": {"ner_f1": 0.2}}}
    }

    results = collect([first, second, third], tmp_path, kept)

    assert results == {"CoNLL alone": {"no dropout": {"0": {"ner_f1": 0.90}, "1": {"ner_f1": 0.92}}}}


def test_files_that_are_not_given_leave_their_choice_out(tmp_path: Path) -> None:
    without, given = (
        [choice.title for choice in studies(*files)[-1].choices] for files in ((None, None), (tmp_path, tmp_path))
    )

    assert set(given) - set(without) == {"start from the pilot", "single-task teachers"}


def test_the_report_says_what_was_found() -> None:
    results = json.loads(RESULTS.read_bytes())

    assert read_between(REPORT, BEGIN, END) == render(results)


def test_results_are_written_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choices, "REPORT", tmp_path / "report.md")
    monkeypatch.setattr(choices, "RESULTS", tmp_path / "choices.json")
    choices.REPORT.write_text(f"{BEGIN}{END}")

    choices.keep({"a study": {"a choice": {"0": {"ner_f1": 0.5}}}})

    assert "| a choice | 1 | 50.00 |" in read_between(choices.REPORT, BEGIN, END)
    assert json.loads(choices.RESULTS.read_bytes()) == {"a study": {"a choice": {"0": {"ner_f1": 0.5}}}}
