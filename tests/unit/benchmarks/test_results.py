"""Figures from what was measured, targets, and the report."""

import re
from pathlib import Path

import pytest

from benchmarks import report
from benchmarks.measure import Spent
from benchmarks.report import BEGIN, END, keep, read_previous, render
from benchmarks.results import NAIVE, ONE_BY_ONE, PRODUCT, SORTED, Machine, Results

MACHINE = Machine(processor="a processor", cores=2, memory_gb=8, system="Linux", load=0.1, versions={"python": "3"})


def _round(one: float, batches: float, naive: float, product: float) -> dict[str, Spent]:
    spent = {ONE_BY_ONE: one, SORTED: batches, NAIVE: naive, PRODUCT: product}
    return {way: Spent(wall_s=2 * cpu_s, cpu_s=cpu_s) for way, cpu_s in spent.items()}


def _results(**changes: object) -> Results:
    fields = {
        "date": "a day",
        "command": "a command",
        "machine": MACHINE,
        "model": "m:1",
        "threads": 1,
        "documents": 100,
        "tokens": 7_000,
        "windows": 101,
        "rounds": [_round(1.0, 0.8, 3.0, 1.0), _round(1.0, 2.0, 6.0, 1.25)],
        "peak_memory_bytes": 200_000_000,
        "ready_s": [2.0, 3.0],
        "http_s": [0.010, 0.012, 0.040],
    }
    return Results.model_validate(fields | changes)


def test_the_worker_is_held_against_the_better_plain_loop_of_each_round() -> None:
    assert _results().share_of_best_plain(PRODUCT) == pytest.approx(0.8)


def test_rates_are_documents_by_the_clock_and_by_the_processor() -> None:
    results = _results()

    assert results.documents_per_s(ONE_BY_ONE) == pytest.approx(50)
    assert results.documents_per_cpu_s(ONE_BY_ONE) == pytest.approx(100)
    assert results.cpu_s_per_1000(ONE_BY_ONE) == pytest.approx(10)


def test_all_targets_are_met_by_good_figures() -> None:
    assert [target.is_met for target in _results().targets()] == [True] * 4


@pytest.mark.parametrize(
    ("changes", "missed"),
    [
        ({"rounds": [_round(1.0, 1.0, 3.0, 1.3)]}, 0),
        ({"peak_memory_bytes": 500_000_000}, 1),
        ({"ready_s": [2.0, 5.0, 3.0]}, 2),
        ({"http_s": [0.01, 0.05]}, 3),
    ],
)
def test_a_figure_on_the_wrong_side_misses_its_target_and_the_report_says_so(
    changes: dict[str, object], missed: int
) -> None:
    results = _results(**changes)

    assert [number for number, target in enumerate(results.targets()) if not target.is_met] == [missed]
    assert "| NO " in render(results, None)


def test_kept_figures_are_the_next_run_s_previous_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(f"Before.\n{BEGIN}\nold figures\n{END}\nAfter.\n")
    monkeypatch.setattr(report, "README", readme)
    monkeypatch.setattr(report, "RESULTS", tmp_path / "results.json")

    keep(_results(peak_memory_bytes=321_000_000), read_previous())
    keep(_results(), read_previous())

    written = readme.read_text()
    assert "old figures" not in written
    assert written.startswith("Before.\n") and written.endswith("After.\n")
    assert re.search(r"200 MB +\| yes +\| 321 MB", written)


def test_unreadable_figures_of_another_version_are_no_previous_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = tmp_path / "results.json"
    old.write_text('{"date": "long ago"}')
    monkeypatch.setattr(report, "RESULTS", old)

    assert read_previous() is None
