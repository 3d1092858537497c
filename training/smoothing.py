"""Scales that bring a norm's channels nearer to each other before they become bytes (SmoothQuant, Xiao et al. 2023).

A few channels of BERT's norms are up to ten times as large as the others, in every text alike, and a token's one scale
has to reach them. Divided by a scale of its own a channel comes down, and the weights that read it go up by as much, so
the product stays what it was. The error of the int8 logits is a fifth (answers) to a third (sentiment, names) smaller
for it, and a run takes no longer that could be measured.
"""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from training.builder import Floats
from training.export import sample_batches
from training.model import MultiTaskModel

_LEAST = 1e-3  # of a channel's magnitude: one that is always 0 must not be divided by 0
_STEPS_OF_AN_OCTAVE = 2
"""Scales are rounded, so that processors which differ in the last bit of a sum make the same bytes."""


def channel_scales(model: MultiTaskModel) -> dict[str, Floats]:
    """Return what to divide each channel by, (hidden,), for each norm that products read, by its name in the graph.

    The square root of the largest activation over the largest weight: both are made equally hard to round. Random words
    show the activations: which channels are large does not depend on the text.
    """
    readers = _readers(model.encoder.config.num_hidden_layers)
    largest = _largest_activations(model, {name: norm for name, (norm, _) in readers.items()})
    scales = {}
    for name, (_, linears) in readers.items():
        weights = torch.cat([model.get_parameter(f"{linear}.weight").detach() for linear in linears])
        ratios = largest[name].clamp(min=_LEAST) / weights.abs().amax(0).clamp(min=_LEAST)  # (hidden,)
        octaves = 0.5 * torch.log2(ratios).double()
        steps = torch.round(_STEPS_OF_AN_OCTAVE * (octaves - octaves.mean()))
        scales[name] = np.exp2(steps.numpy() / _STEPS_OF_AN_OCTAVE).astype(np.float32)
    return scales


def _readers(layers: int) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Return each norm and the products that read it, but for the last norm, which the heads read in fp32."""
    readers = {}
    for number in range(layers):
        layer = f"encoder.encoder.layer.{number}"
        if number == 0:
            name, norm = "states", "encoder.embeddings.LayerNorm"
        else:
            name, norm = f"layer{number - 1}.norm", f"encoder.encoder.layer.{number - 1}.output.LayerNorm"
        readers[name] = (norm, tuple(f"{layer}.attention.self.{part}" for part in ("query", "key", "value")))
        inner = (f"{layer}.intermediate.dense",)
        readers[f"layer{number}.attention_norm"] = (f"{layer}.attention.output.LayerNorm", inner)
    return readers


@torch.inference_mode()
def _largest_activations(model: MultiTaskModel, norms: Mapping[str, str]) -> dict[str, Tensor]:
    """Return the largest magnitude of each channel, (hidden,), over the tokens of random texts, padding left out."""
    found: dict[str, Tensor] = {}
    is_text = torch.empty(0)

    def note(name: str, states: Tensor) -> None:
        largest = states[is_text].abs().amax(0)
        found[name] = torch.maximum(found.get(name, largest), largest)

    hooks = [
        model.get_submodule(norm).register_forward_hook(lambda _norm, _inputs, states, name=name: note(name, states))
        for name, norm in norms.items()
    ]
    try:
        for batch in sample_batches():
            is_text = torch.from_numpy(batch.attention_mask) == 1
            arrays = (batch.input_ids, batch.attention_mask, batch.token_type_ids)
            model(*(torch.from_numpy(values) for values in arrays))
    finally:
        for hook in hooks:
            hook.remove()
    return found
