"""Which channels are made smaller before they become bytes."""

import numpy as np
import pytest
import torch

from training.encoders import encoder_config
from training.model import MultiTaskModel
from training.smoothing import channel_scales

_WIDTH = 32


@pytest.fixture
def model() -> MultiTaskModel:
    torch.manual_seed(0)
    return MultiTaskModel(encoder_config(2, _WIDTH, 64, 4, 30_522)).eval()


def test_every_norm_that_a_product_reads_has_scales(model: MultiTaskModel) -> None:
    scales = channel_scales(model)

    assert set(scales) == {"states", "layer0.attention_norm", "layer0.norm", "layer1.attention_norm"}
    assert all(each.shape == (_WIDTH,) and each.dtype == np.float32 for each in scales.values())


def test_a_channel_that_is_large_in_every_text_is_made_smaller(model: MultiTaskModel) -> None:
    with torch.no_grad():
        model.get_parameter("encoder.encoder.layer.0.attention.output.LayerNorm.weight")[5] = 64.0

    scales = channel_scales(model)["layer0.attention_norm"]

    assert scales.argmax() == 5
    assert scales[5] > 4 * np.median(scales)


def test_scales_are_half_octaves_so_that_every_processor_finds_the_same(model: MultiTaskModel) -> None:
    octaves = np.concatenate([np.log2(each.astype(np.float64)) for each in channel_scales(model).values()])

    assert np.allclose(2 * octaves, np.round(2 * octaves), atol=1e-6)


def test_nothing_stays_behind_on_the_model(model: MultiTaskModel) -> None:
    channel_scales(model)

    assert not any(module._forward_hooks for module in model.modules())
