"""docs/operations.md explains every alert, and what it names is there."""

import re
from pathlib import Path

import pytest

from benchmarks.report import RESULTS
from benchmarks.results import PRODUCT, Results
from tests.unit.deploy.promql import DASHBOARDS, RULE_FILES

TEXT = Path("docs/operations.md").read_text()
README = Path("README.md").read_text()
ALERTS = re.findall(r"alert: (\w+)", "".join(path.read_text() for path in RULE_FILES))


def _anchors(text: str) -> set[str]:
    """Return the anchors of a document's headings, as they are made from their words."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_is_explained(alert: str) -> None:
    section = re.search(rf"^### {alert}\n\n(.+?)(?=^### |\Z)", TEXT, re.MULTILINE | re.DOTALL)

    assert section is not None
    assert len(section[1].split()) > 20


def test_no_alert_is_explained_that_is_gone() -> None:
    assert set(re.findall(r"^### (Nlp\w+)$", TEXT, re.MULTILINE)) == set(ALERTS)


def test_every_link_leads_somewhere() -> None:
    for path, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", TEXT):
        target = Path("docs") / path if path else Path("docs/operations.md")

        assert target.is_file(), path
        assert not anchor or anchor in _anchors(target.read_text()), f"{path}#{anchor}"


def test_every_setting_that_is_named_is_one() -> None:
    for name in re.findall(r"\b(?:NLP|KAFKA)_[A-Z_]+[A-Z]\b", TEXT):
        assert f"`{name}`" in README, name


def test_every_panel_that_is_named_is_on_the_dashboard() -> None:
    dashboard = DASHBOARDS[0].read_text()

    for title in re.findall(r"(?<!\*)\*([A-Z][^*]+)\*(?!\*)", TEXT):
        assert f'"title": "{title}"' in dashboard, title


def test_the_figures_are_the_benchmarks() -> None:
    results = Results.model_validate_json(RESULTS.read_text())

    assert f"| {results.documents_per_s(PRODUCT):.0f} |" in TEXT
    assert f"| {results.cpu_s_per_1000(PRODUCT):.2f} |" in TEXT
    assert f"| {results.peak_memory_bytes / 1e6:.0f} MB |" in TEXT
    assert f"| {max(results.ready_s):.1f} s |" in TEXT
    assert f"{results.tokens / results.documents:.0f} tokens on average" in TEXT
