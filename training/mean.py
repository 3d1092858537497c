"""The mean of several weights: `python -m training.mean --mean-of one.safetensors --mean-of other.safetensors`.

What a run began with and what it ended with lie in one valley, and so do the ends of runs that began with the same
weights: between them a model often answers better than any (Wortsman et al. 2022, "Robust fine-tuning of zero-shot
models" and "Model soups"). It costs nothing at inference.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from pydantic_settings import CliApp

from training.encoders import WeightsError
from training.exits import leave
from training.settings import MeanSettings
from training.weights import History, lineage, load_model, read_history, save_weights


def write_mean(weights: Sequence[Path], output: Path) -> None:
    """Write the mean and its history; raises `WeightsError` where the models are not of one shape.

    The history goes on from that of the last one, names how many the mean is of, and holds what the others have in
    `beside`.
    """
    models = [load_model(path) for path in weights]
    history = merge_histories([read_history(path) for path in weights])
    states = [model.state_dict() for model in models]
    for path, state in zip(weights, states, strict=True):
        if {name: tensor.shape for name, tensor in state.items()} != {
            name: tensor.shape for name, tensor in states[-1].items()
        }:
            raise WeightsError(f"{path}: not of the same shape as {weights[-1]}")
    # In fp64, or frozen word embeddings come out a last bit off what was pretrained, and double the file.
    models[-1].load_state_dict(
        {name: torch.stack([each[name].double() for each in states]).mean(0) for name in states[-1]}
    )
    output.parent.mkdir(parents=True, exist_ok=True)
    save_weights(models[-1], output)
    output.with_suffix(".json").write_text(json.dumps(history, indent=2) + "\n", encoding="utf-8")


def merge_histories(histories: Sequence[History]) -> History:
    """Return the history of a mean: every run that went into it, once, also where several went on from it."""
    base = histories[-1]
    told = list(lineage(base))
    beside: list[History] = []
    for history in histories[:-1]:
        if history in told:
            continue
        told += lineage(history)
        shared = any(history.get("base") == each for each in lineage(base))
        beside.append({name: value for name, value in history.items() if not (shared and name == "base")})
    return {"stage": f"mean of {len(histories)} weights", "base": base} | ({"beside": beside} if beside else {})


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
