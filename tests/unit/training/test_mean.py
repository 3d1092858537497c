"""The mean of several weights: half-way between them, with a history, and only of models of one shape."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from training.encoders import WORDS, WeightsError, encoder_config
from training.mean import merge_histories, write_mean
from training.model import MultiTaskModel
from training.weights import History, all_passes, load_model, load_pretrained, read_history, save_weights


def _weights(path: Path, value: float, width: int = 32) -> Path:
    model = MultiTaskModel(encoder_config(1, width, 64, 4, 100))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(value)
    save_weights(model, path)
    path.with_suffix(".json").write_text(json.dumps({"stage": path.stem, "passes": {"qa": 1.5}}))
    return path


def test_mean_lies_half_way_and_says_where_it_comes_from(tmp_path: Path) -> None:
    first, last = _weights(tmp_path / "first.safetensors", 0.25), _weights(tmp_path / "last.safetensors", 0.75)
    output = tmp_path / "new" / "mean.safetensors"

    write_mean([first, last], output)

    assert all(torch.all(parameter == 0.5) for parameter in load_model(output).parameters())
    history = read_history(output)
    assert history["stage"] == "mean of 2 weights"
    assert history["base"]["stage"] == "last"
    assert all_passes(history) == {"qa": 3.0}


def test_mean_of_frozen_word_embeddings_is_what_was_pretrained(tmp_path: Path) -> None:
    weights = tmp_path / "pretrained.safetensors"
    save_weights(load_pretrained(), weights)
    weights.with_suffix(".json").write_text(json.dumps({"stage": "pretrained"}))

    write_mean([weights] * 5, tmp_path / "mean.safetensors")

    assert load_file(tmp_path / "mean.safetensors").keys() == load_file(weights).keys()  # so they are left out of both
    assert f"e.{WORDS}" not in load_file(weights)


def test_every_run_of_a_mean_counts_once() -> None:
    start: History = {"stage": "start", "passes": {"qa": 1.0}, "base": "an encoder"}
    one: History = {"stage": "one", "passes": {"qa": 2.0}, "base": start}
    other: History = {"stage": "other", "passes": {"qa": 4.0}, "base": start}
    apart: History = {"stage": "apart", "passes": {"qa": 8.0}, "base": {"stage": "away", "passes": {"qa": 16.0}}}

    merged = merge_histories([start, one, one, apart, other])

    assert merged["base"] == other
    assert merged["beside"] == [{"stage": "one", "passes": {"qa": 2.0}}, apart]
    assert all_passes(merged) == {"qa": 31.0}


def test_weights_on_the_way_to_the_last_are_told_there() -> None:
    start: History = {"stage": "start", "passes": {"qa": 1.0}}

    merged = merge_histories([start, {"stage": "end", "base": start}])

    assert merged == {"stage": "mean of 2 weights", "base": {"stage": "end", "base": start}}


def test_models_of_other_shapes_are_refused(tmp_path: Path) -> None:
    small, large = _weights(tmp_path / "small.safetensors", 0.0), _weights(tmp_path / "large.safetensors", 0.0, 64)

    with pytest.raises(WeightsError, match=r"small\.safetensors: not of the same shape as .*large\.safetensors"):
        write_mean([small, large], tmp_path / "mean.safetensors")

    assert not (tmp_path / "mean.safetensors").exists()
