"""A model of every part the real one has, and small enough to train in a second."""

import json
from pathlib import Path

import pytest
import torch

from training.encoders import encoder_config
from training.model import MultiTaskModel
from training.weights import save_weights


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of two layers, 32 wide, with random values, and their history beside them."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("tiny") / "weights.safetensors"
    save_weights(MultiTaskModel(encoder_config(2, 32, 64, 2)), path)
    path.with_suffix(".json").write_text(json.dumps({"stage": "random"}), encoding="utf-8")
    return path
