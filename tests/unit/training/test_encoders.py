"""A second encoder, twice as wide and of another make, goes the whole way to a bundle that answers."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from transformers import DistilBertConfig, DistilBertModel

from schemas import NER, NerRequest
from training.bundle import make_bundle
from training.encoders import TYPES, WORDS, WeightsError, pretrained_state
from training.settings import BundleSettings
from training.weights import load_model, load_pretrained, save_weights
from worker.bundle import load_bundle
from worker.encoder import Encoder
from worker.inference import Inference


@pytest.fixture(scope="module")
def distilbert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """DistilBERT's own sizes and names, with random values."""
    directory = tmp_path_factory.mktemp("distilbert")
    torch.manual_seed(0)
    state = DistilBertModel(DistilBertConfig()).state_dict()
    save_file({f"distilbert.{name}": tensor for name, tensor in state.items()}, directory / "model.safetensors")
    return directory


def test_distilberts_states_are_those_of_its_own_code(distilbert: Path) -> None:
    torch.manual_seed(0)
    original = DistilBertModel(DistilBertConfig()).train(False)
    model = load_pretrained("distilbert", distilbert).eval()
    ids, mask = torch.tensor([[101, 7592, 2088, 102]]), torch.ones(1, 4, dtype=torch.int64)

    with torch.inference_mode():
        expected = original(ids, mask).last_hidden_state
        found = model.encoder(ids, mask, torch.tensor([[0, 3, 5, 7]])).last_hidden_state  # no case changes anything yet

    assert torch.allclose(found, expected, atol=1e-5)


def test_distilbert_becomes_a_bundle_that_answers(distilbert: Path, tmp_path: Path) -> None:
    weights = tmp_path / "distilbert.safetensors"
    save_weights(load_pretrained("distilbert", distilbert), weights)
    weights.with_suffix(".json").write_text('{"stage": "random"}')

    make_bundle(BundleSettings(bundle=tmp_path / "bundle", weights=weights, name="distilbert"))

    bundle = load_bundle(tmp_path / "bundle")
    inference = Inference(bundle, Encoder(bundle.model, bundle.manifest.outputs))
    assert 60e6 < bundle.model.stat().st_size < 70e6
    assert inference.answer(NER, [NerRequest(text="Ada lives in Oslo.")])


def test_sizes_are_read_from_the_weights(tiny_weights: Path) -> None:
    config = load_model(tiny_weights).encoder.config

    assert (config.num_hidden_layers, config.hidden_size, config.intermediate_size) == (2, 32, 64)
    assert config.num_attention_heads == 2


def test_every_case_starts_as_a_copy_of_its_segment() -> None:
    types = pretrained_state("minilm")[TYPES]

    assert types.shape == (8, 384)
    assert torch.equal(types[:2].repeat(4, 1), types)


def test_a_directory_without_weights_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"model\.safetensors: no such file"):
        pretrained_state("distilbert", tmp_path)


def test_weights_of_something_else_are_refused(tmp_path: Path) -> None:
    save_file({"layer.weight": torch.zeros(2)}, tmp_path / "model.safetensors")

    with pytest.raises(WeightsError, match="no BERT or DistilBERT"):
        pretrained_state("distilbert", tmp_path)


def test_an_encoder_of_another_size_is_refused(tmp_path: Path) -> None:
    save_file({WORDS: torch.zeros(30_522, 32), TYPES: torch.zeros(2, 32)}, tmp_path / "model.safetensors")

    with pytest.raises(WeightsError, match=r"size mismatch|Missing key"):
        load_pretrained("minilm", tmp_path)
