"""Figures written into a document of people's: between two marks, the rest stays as it is."""

from pathlib import Path


def write_between(path: Path, begin: str, end: str, text: str) -> None:
    """Put `text` between the marks; raises `ValueError` where they do not stand in the document once and in order."""
    before, first, rest = path.read_text(encoding="utf-8").partition(begin)
    _, last, after = rest.partition(end)
    if not first or not last or begin in rest:
        raise ValueError(f"{path}: {begin} and {end} must stand in it, once and in this order")
    path.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}", encoding="utf-8")


def read_between(path: Path, begin: str, end: str) -> str:
    """Return what stands between the marks."""
    return path.read_text(encoding="utf-8").partition(begin)[2].partition(end)[0].strip()
