"""Weights on disk: what is read is what was written, whatever the number of token types."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from training.encoders import TOKEN_TYPES, WeightsError
from training.model import MultiTaskModel
from training.weights import all_passes, load_model, load_pretrained, read_seeds, save_weights

_TYPES = "e.embeddings.token_type_embeddings.weight"
_WORDS = "e.embeddings.word_embeddings.weight"


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "weights.safetensors"
    save_weights(load_pretrained(), path)
    return path


def test_frozen_word_embeddings_are_left_out(weights: Path) -> None:
    state = load_file(weights)

    assert _WORDS not in state
    assert {name[:2] for name in state} == {"e.", "s.", "n.", "q."}
    assert all(tensor.dtype == torch.float16 for tensor in state.values())


def test_written_weights_are_read_again(weights: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.safetensors"

    save_weights(load_model(weights), again)

    assert again.read_bytes() == weights.read_bytes()


def test_two_token_types_answer_as_eight(weights: Path, tmp_path: Path) -> None:
    state = load_file(weights)
    state[_TYPES] = state[_TYPES][:2].contiguous()
    narrow = tmp_path / "two.safetensors"
    save_file(state, narrow)

    model = load_model(narrow)

    assert model.encoder.embeddings.token_type_embeddings.weight.shape[0] == TOKEN_TYPES
    ids, mask = torch.tensor([[101, 7592, 2088, 102]]), torch.ones(1, 4, dtype=torch.int64)
    segments = torch.tensor([[0, 0, 1, 1]])
    with torch.inference_mode():
        plain, cased = model(ids, mask, segments), model(ids, mask, segments + 2 * torch.tensor([[0, 1, 2, 3]]))
    assert all(torch.equal(plain[head], cased[head]) for head in plain)


def test_changed_word_embeddings_are_kept(weights: Path, tmp_path: Path) -> None:
    model: MultiTaskModel = load_model(weights)
    with torch.no_grad():
        model.encoder.embeddings.word_embeddings.weight[2000] += 1.0
    path = tmp_path / "trained.safetensors"

    save_weights(model, path)

    changed = load_model(path).encoder.embeddings.word_embeddings.weight[2000]
    torch.testing.assert_close(changed, model.encoder.embeddings.word_embeddings.weight[2000], atol=1e-3, rtol=1e-3)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"nowhere\.safetensors: no such file"):
        load_model(tmp_path / "nowhere.safetensors")


def test_unknown_weight_is_named(weights: Path, tmp_path: Path) -> None:
    path = tmp_path / "odd.safetensors"
    save_file(load_file(weights) | {"x.weight": torch.zeros(2)}, path)

    with pytest.raises(WeightsError, match=r"x\.weight: unknown weight"):
        load_model(path)


def test_missing_weight_is_named(weights: Path, tmp_path: Path) -> None:
    state = load_file(weights)
    del state["q.bias"]
    path = tmp_path / "short.safetensors"
    save_file(state, path)

    with pytest.raises(WeightsError, match=r"heads\.qa\.linear\.bias"):
        load_model(path)


def test_odd_number_of_token_types_is_refused(weights: Path, tmp_path: Path) -> None:
    state = load_file(weights)
    state[_TYPES] = state[_TYPES][:3].contiguous()
    path = tmp_path / "three.safetensors"
    save_file(state, path)

    with pytest.raises(WeightsError, match="3 rows"):
        load_model(path)


def _run(directory: Path, seed: int, ner_f1: float, **settings: object) -> Path:
    path = directory / f"{len(list(directory.iterdir()))}.safetensors"
    history = {"settings": {"epochs": 0.1, "dropout": 0.1, "seed": seed} | settings, "held_out": {"ner_f1": ner_f1}}
    path.with_suffix(".json").write_text(json.dumps(history))
    return path


def test_seeds_are_told_with_what_was_held_out_of_their_runs(tmp_path: Path) -> None:
    runs = [_run(tmp_path, 2, 0.92), _run(tmp_path, 0, 0.9)]

    assert read_seeds(runs) == {"epochs": 0.1, "held_out": {"0": {"ner_f1": 0.9}, "2": {"ner_f1": 0.92}}}


def test_runs_that_differ_in_more_than_their_seed_are_refused(tmp_path: Path) -> None:
    runs = [_run(tmp_path, 0, 0.9), _run(tmp_path, 1, 0.9, dropout=0.0)]

    with pytest.raises(WeightsError, match=r"1\.safetensors: differs from the others in dropout, not only in its seed"):
        read_seeds(runs)


@pytest.mark.parametrize("seeds", [(0,), (0, 0), (0, 1, 1)])
def test_runs_of_one_seed_have_no_spread(tmp_path: Path, seeds: tuple[int, ...]) -> None:
    with pytest.raises(WeightsError, match="each with a seed of its own"):
        read_seeds([_run(tmp_path, seed, 0.9) for seed in seeds])


def test_a_history_without_a_seed_is_refused(tmp_path: Path) -> None:
    (tmp_path / "old.json").write_text(json.dumps({"stage": "pilot"}))

    with pytest.raises(WeightsError, match=r"old\.safetensors: its history names no seed"):
        read_seeds([tmp_path / "old.safetensors"])


def test_passes_are_counted_from_the_pretrained_encoder_on() -> None:
    pilot = {"stage": "pilot", "base": "a pretrained encoder"}
    first = {"base": pilot, "passes": {"qa": 1.5, "ner": 4.0}}

    assert all_passes({"base": first, "passes": {"qa": 0.25}}) == {"qa": 1.75, "ner": 4.0}
