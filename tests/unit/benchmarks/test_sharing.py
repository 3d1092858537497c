"""What sharing costs: the table, the verdict, and that README says what was measured."""

import json
from pathlib import Path

import pytest
from rich.progress import Progress

from benchmarks import sharing
from benchmarks.marked import read_between
from benchmarks.sharing import BEGIN, END, README, RESULTS, Results, is_within, measure, render
from training.bundle import read_metrics
from training.data import LabelledText, Question
from training.encoders import WeightsError
from training.sets import QuestionSet, SentimentSet
from training.settings import SharingSettings

_ALONE = {"sentiment_accuracy": 0.91, "ner_f1": 0.9, "qa_em": 0.79, "qa_f1": 0.87}
_PASSES = {"sentiment": 3.0, "ner": 4.0, "qa": 1.5}


def _results(shared: dict[str, float]) -> Results:
    return {"alone": {"metrics": _ALONE, "passes": _PASSES}, "shared": {"metrics": shared, "passes": {"qa": 2.3}}}


@pytest.mark.parametrize(("lost", "within"), [(0.0, True), (0.004, True), (0.006, False), (-0.02, True)])
def test_half_a_point_may_be_lost_on_each_head(lost: float, within: bool) -> None:
    shared = _ALONE | {"ner_f1": _ALONE["ner_f1"] - lost}

    assert is_within(_results(shared)) is within


def test_the_table_has_both_sides_and_their_difference() -> None:
    table = render(_results(_ALONE | {"qa_em": 0.7815}))

    assert "| SQuAD 1.1 dev, exact match | 79.00 (1.5) | 78.15 (2.3) | -0.85 |" in table
    assert "| SST-2 dev, accuracy | 91.00 (3.0) | 91.00 (0.0) | +0.00 |" in table


def test_a_bundle_that_was_not_scored_is_refused(tmp_path: Path) -> None:
    shipped = README.parent / "models" / "minilm"
    for path in shipped.iterdir():
        if path.name != "metrics.json":
            (tmp_path / path.name).symlink_to(path)

    with pytest.raises(WeightsError, match="not scored yet"):
        measure(SharingSettings(bundle=tmp_path, alone=tmp_path), Progress(disable=True))


def test_the_model_of_one_task_is_scored_as_it_would_be_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = README.parent / "models" / "minilm"
    for suffix in (".safetensors", ".json"):
        (tmp_path / f"sentiment{suffix}").symlink_to((shipped / "weights").with_suffix(suffix))
    texts = [LabelledText("A wonderful film.", "positive"), LabelledText("A dull and awful film.", "negative")]
    wrong = LabelledText("I hated it.", "positive")
    monkeypatch.setattr(sharing, "load_reported", lambda *_: [SentimentSet("ours", [*texts, wrong, *texts])])

    results = measure(SharingSettings(bundle=shipped, alone=tmp_path), Progress(disable=True))

    assert results["alone"]["metrics"] == {"sentiment_accuracy": 0.8}
    assert results["shared"]["metrics"] == {"sentiment_accuracy": read_metrics(shipped)["int8"]["sentiment_accuracy"]}


@pytest.mark.parametrize(("penalty", "exact"), [(0.0, 1.0), (50.0, 0.0)])
def test_answers_of_both_sides_lose_the_same_for_their_length(
    penalty: float, exact: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = README.parent / "models" / "minilm"
    for suffix in (".safetensors", ".json"):
        (tmp_path / f"qa{suffix}").symlink_to((shipped / "weights").with_suffix(suffix))
    fitted = tmp_path / "fitted"
    fitted.mkdir()
    for path in shipped.iterdir():
        if path.name != "manifest.json":
            (fitted / path.name).symlink_to(path)
    manifest = json.loads((shipped / "manifest.json").read_bytes())
    (fitted / "manifest.json").write_text(json.dumps(manifest | {"answer_length_penalty": penalty}))
    asked = Question("1", "t", "Ada was born in December 1815.", "When was Ada born?", ("December 1815",), (16,))
    monkeypatch.setattr(sharing, "load_reported", lambda *_: [QuestionSet("ours", [asked])])

    results = measure(SharingSettings(bundle=fitted, alone=tmp_path), Progress(disable=True))

    assert results["alone"]["metrics"]["qa_em"] == exact


def test_the_readme_says_what_was_measured() -> None:
    results = json.loads(RESULTS.read_bytes())

    assert read_between(README, BEGIN, END) == render(results)
