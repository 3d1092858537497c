"""The mean of several weights: `python -m training.mean --mean-of one.safetensors --mean-of other.safetensors`.

What a run began with and what it ended with lie in one valley, and half-way between them a model often answers better
than either (Wortsman et al. 2022, "Robust fine-tuning of zero-shot models"). It costs nothing at inference.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from pydantic_settings import CliApp

from training.encoders import WeightsError
from training.exits import leave
from training.settings import MeanSettings
from training.weights import load_model, read_history, save_weights


def write_mean(weights: Sequence[Path], output: Path) -> None:
    """Write the mean and its history; raises `WeightsError` where the models are not of one shape.

    The history goes on from that of the last one, and names how many the mean is of.
    """
    models = [load_model(path) for path in weights]
    history = {"stage": f"mean of {len(models)} weights", "base": read_history(weights[-1])}
    states = [model.state_dict() for model in models]
    for path, state in zip(weights, states, strict=True):
        if {name: tensor.shape for name, tensor in state.items()} != {
            name: tensor.shape for name, tensor in states[-1].items()
        }:
            raise WeightsError(f"{path}: not of the same shape as {weights[-1]}")
    models[-1].load_state_dict({name: torch.stack([each[name] for each in states]).mean(0) for name in states[-1]})
    output.parent.mkdir(parents=True, exist_ok=True)
    save_weights(models[-1], output)
    output.with_suffix(".json").write_text(json.dumps(history, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    """Write the mean of the weights that are named."""
    settings = CliApp.run(MeanSettings)
    try:
        write_mean(settings.mean_of, settings.mean)
    except WeightsError as wrong:
        leave("No mean was made", wrong)
    print(f"Next: python -m training.bundle --weights {settings.mean}")


if __name__ == "__main__":
    main()
