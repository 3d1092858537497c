"""Figures for people: a table on the terminal, the same in the README, all of it in `results.json`."""

from pathlib import Path

from pydantic import ValidationError

from benchmarks.marked import write_between
from benchmarks.results import NAIVE, PRODUCT, WAYS, Results

DIRECTORY = Path(__file__).parent
RESULTS = DIRECTORY / "results.json"
README = DIRECTORY / "README.md"
BEGIN, END = "<!-- figures: written by `make bench` -->", "<!-- end of figures -->"


def read_previous() -> Results | None:
    """Return the figures of the run before, None where there are none that can be compared."""
    try:
        return Results.model_validate_json(RESULTS.read_bytes())
    except (OSError, ValidationError):
        return None


def keep(results: Results, previous: Results | None) -> None:
    """Write `results.json` and the README's figures."""
    RESULTS.write_text(results.model_dump_json(indent=1) + "\n")
    write_between(README, BEGIN, END, render(results, previous))


def render(results: Results, previous: Results | None) -> str:
    """Return the report in Markdown that also reads well on a terminal."""
    parts = [_circumstances(results), _ways(results, previous), _targets(results, previous)]
    return "\n\n".join(parts)


def _circumstances(results: Results) -> str:
    machine = results.machine
    versions = ", ".join(f"{name} {number}" for name, number in machine.versions.items())
    lines = (
        f"{results.date}, `{results.command}`",
        f"{machine.processor}, {machine.cores} cores, {machine.memory_gb:.0f} GB, {machine.system}; "
        f"load before the run {machine.load}",
        versions,
        f"model `{results.model}`, {results.threads} engine thread(s); {results.documents} texts, {results.tokens} "
        f"tokens, {results.windows} windows; {len(results.rounds)} round(s), medians",
    )
    return "\n".join(f"- {line}" for line in lines)


def _ways(results: Results, previous: Results | None) -> str:
    rows = [["", "documents/s", "CPU-s per 1,000", "documents per CPU-s", "of the better plain loop", "before"]]
    for way in WAYS:
        rows.append(
            [
                way,
                f"{results.documents_per_s(way):.0f}",
                f"{results.cpu_s_per_1000(way):.2f}",
                f"{results.documents_per_cpu_s(way):.0f}",
                f"{results.share_of_best_plain(way):.0%}",
                f"{previous.share_of_best_plain(way):.0%}" if previous else "-",
            ]
        )
    times = results.documents_per_cpu_s(PRODUCT) / results.documents_per_cpu_s(NAIVE)
    return f"{_table(rows)}\n\nThe worker does {times:.1f} times what the naive consumer does in a CPU-second."


def _targets(results: Results, previous: Results | None) -> str:
    earlier = [target.found for target in previous.targets()] if previous else ["-"] * len(results.targets())
    rows = [["target", "wanted", "found", "met", "before"]]
    for target, before in zip(results.targets(), earlier, strict=True):
        rows.append([target.name, target.wanted, target.found, "yes" if target.is_met else "NO", before])
    more = f"HTTP round trip p50 {results.p50_ms:.1f} ms over {len(results.http_s)} requests."
    return f"{_table(rows)}\n\n{more}"


def _table(rows: list[list[str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [_line(row, widths) for row in rows]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])


def _line(row: list[str], widths: list[int]) -> str:
    cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
    return f"| {' | '.join(cells)} |"
