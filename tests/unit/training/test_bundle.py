"""Making a bundle: what is copied, cleaned, kept and refused."""

import json
import shutil
from pathlib import Path

import pytest

from training.bundle import make_bundle, write_tokenizer
from training.encoders import WeightsError
from training.settings import BundleSettings
from worker.bundle import load_bundle

_SHIPPED = Path(__file__).parents[3] / "models" / "minilm"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("made")
    make_bundle(BundleSettings(bundle=directory, weights=_SHIPPED / "weights.safetensors"))
    return directory


@pytest.fixture
def bundle(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "bundle"))


def test_bundle_is_what_the_worker_takes(made: Path) -> None:
    assert load_bundle(made).manifest.token_types == 8


def test_tokenizer_neither_pads_nor_cuts(tmp_path: Path) -> None:
    write_tokenizer(tmp_path / "tokenizer.json")

    rules = json.loads((tmp_path / "tokenizer.json").read_bytes())
    assert rules["truncation"] is None
    assert rules["padding"] is None


def test_history_of_the_weights_is_in_the_manifest_and_the_card(made: Path) -> None:
    manifest = load_bundle(made).manifest

    assert manifest.training == json.loads((_SHIPPED / "weights.json").read_bytes())
    assert manifest.training["stage"] in (made / "README.md").read_text(encoding="utf-8")


def test_the_spread_over_seeds_stays_with_the_weights(bundle: Path, tmp_path: Path) -> None:
    for seed in range(2):
        history = {"settings": {"seed": seed, "epochs": 0.5}, "held_out": {"qa_em": 0.5 + seed / 100}}
        (tmp_path / f"seed-{seed}.json").write_text(json.dumps(history))
    runs = tuple(tmp_path / f"seed-{seed}.safetensors" for seed in range(2))

    make_bundle(BundleSettings(bundle=bundle, seeds=runs))
    make_bundle(BundleSettings(bundle=bundle))

    assert "| SQuAD exact match | 50.50 | 0.71 | 50.00–51.00 |" in (bundle / "README.md").read_text(encoding="utf-8")


def test_metrics_of_the_same_graph_are_kept(bundle: Path) -> None:
    measured = {"int8": {"qa_em": 0.5}}
    (bundle / "metrics.json").write_text(json.dumps(measured))

    make_bundle(BundleSettings(bundle=bundle))

    assert json.loads((bundle / "metrics.json").read_bytes()) == measured


def test_temperatures_of_the_same_graph_are_kept_and_of_another_are_not(bundle: Path) -> None:
    manifest = json.loads((bundle / "manifest.json").read_bytes())
    fitted = {"sentiment": 1.5, "ner": 1.25, "qa": 0.75}
    manifest |= {"temperatures": fitted, "answer_length_penalty": 0.06}
    (bundle / "manifest.json").write_text(json.dumps(manifest))

    same = make_bundle(BundleSettings(bundle=bundle))
    other = manifest["files"] | {"model.quant.onnx": "0" * 64}
    (bundle / "manifest.json").write_text(json.dumps(manifest | {"temperatures": fitted, "files": other}))
    another = make_bundle(BundleSettings(bundle=bundle))

    assert same.temperatures == fitted
    assert set(another.temperatures.values()) == {1.0}


def test_metrics_of_another_graph_are_removed(bundle: Path) -> None:
    (bundle / "metrics.json").write_text("{}")
    manifest = json.loads((bundle / "manifest.json").read_bytes())
    manifest["files"]["model.quant.onnx"] = "0" * 64
    (bundle / "manifest.json").write_text(json.dumps(manifest))

    make_bundle(BundleSettings(bundle=bundle))

    assert not (bundle / "metrics.json").exists()


def test_weights_without_a_history_are_refused(bundle: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone.safetensors"
    shutil.copyfile(bundle / "weights.safetensors", alone)

    with pytest.raises(WeightsError, match=r"alone\.json: missing"):
        make_bundle(BundleSettings(bundle=bundle, weights=alone))
