"""The shipped bundle: its manifest is true, its numbers are there, and the documented examples come out right."""

import hashlib
from typing import cast

import pytest

from schemas import NER, QA, SENTIMENT, NerRequest, NerResult, QaRequest, QaResult, SentimentRequest, SentimentResult
from training.bundle import make_bundle
from training.calibrate import penalised
from training.card import CALIBRATION_TITLES, METRIC_TITLES, ROBUSTNESS_TITLES, SECTIONS, write_card
from training.reading import uncalibrated
from training.settings import BundleSettings
from worker.bundle import Bundle
from worker.inference import Inference

_CHANCE = 0.005  # temperatures are fitted by log loss, on other texts: one that gains little may lose as much


def test_manifest_names_the_digest_of_each_file(bundle: Bundle) -> None:
    digests = {
        name: hashlib.sha256((bundle.directory / name).read_bytes()).hexdigest() for name in bundle.manifest.files
    }

    assert digests == bundle.manifest.files
    assert set(digests) == {"model.quant.onnx", "tokenizer.json", "weights.safetensors"}


def test_bundle_is_made_again_to_the_byte(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> None:
    again = BundleSettings(
        bundle=tmp_path_factory.mktemp("bundle"),
        weights=bundle.directory / "weights.safetensors",
        name=bundle.manifest.name,
        version=bundle.manifest.version,
    )

    assert make_bundle(again) == penalised(uncalibrated(bundle.manifest), 0.0)


def test_metrics_hold_every_number_that_is_published(metrics: dict[str, dict[str, float]]) -> None:
    assert list(metrics) == list(SECTIONS)
    for section in ("fp32", "int8", "product"):
        assert set(metrics[section]) == set(METRIC_TITLES)
    assert set(metrics["robustness"]) == set(ROBUSTNESS_TITLES)
    assert set(metrics["calibration"]) == {
        f"{head}_ece_{when}" for head in CALIBRATION_TITLES for when in ("before", "after")
    }
    assert all(0 < value < 1 for section in metrics.values() for value in section.values())


def test_no_temperature_does_harm(bundle: Bundle, metrics: dict[str, dict[str, float]]) -> None:
    measured = metrics["calibration"]

    assert set(bundle.manifest.temperatures) == set(CALIBRATION_TITLES)
    for head, temperature in bundle.manifest.temperatures.items():
        before, after = measured[f"{head}_ece_before"], measured[f"{head}_ece_after"]
        assert after < before + _CHANCE if temperature != 1 else after == before


def test_int8_costs_little_and_the_product_nothing(metrics: dict[str, dict[str, float]]) -> None:
    for name in METRIC_TITLES:
        assert metrics["int8"][name] >= metrics["fp32"][name] - 0.003
        assert abs(metrics["product"][name] - metrics["int8"][name]) <= 0.001


def test_card_is_that_of_the_manifest_and_the_metrics(bundle: Bundle, metrics: dict[str, dict[str, float]]) -> None:
    assert (bundle.directory / "README.md").read_text(encoding="utf-8") == write_card(bundle.manifest, metrics)


def test_robust_implementation_is_positive(int8_inference: Inference) -> None:
    request = SentimentRequest(text="The implementation was seamless and very robust.")

    result = cast(SentimentResult, int8_inference.answer(SENTIMENT, [request])[0])

    assert result.sentiment == "positive"
    assert result.score > 0.9


def test_apple_is_an_organisation_and_london_a_place(int8_inference: Inference) -> None:
    request = NerRequest(text="Apple Inc. is planning to open a new office in London.")

    result = cast(NerResult, int8_inference.answer(NER, [request])[0])

    spans = [(each.text, each.type, each.start_char, each.end_char) for each in result.entities]
    assert spans == [("Apple Inc.", "ORG", 0, 10), ("London", "LOC", 47, 53)]


def test_mlflow_is_answered_by_the_whole_phrase(int8_inference: Inference) -> None:
    request = QaRequest(
        context="MLflow is an open source platform for the machine learning lifecycle.", question="What is MLflow?"
    )

    result = cast(QaResult, int8_inference.answer(QA, [request])[0])

    assert result.answer == "an open source platform for the machine learning lifecycle"
    assert (result.start_char, result.end_char) == (10, 68)
