"""Training on a CPU takes another road to the same numbers."""

import psutil
import pytest
import torch
from torch import Tensor

from training.encoders import encoder_config
from training.model import MultiTaskModel
from training.processor import drop, give_back_memory, tune_for_cpu

_IDS = torch.tensor([[1, 5, 6, 7, 2], [1, 8, 2, 0, 0]])
_MASK = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])


def _model() -> MultiTaskModel:
    torch.manual_seed(0)
    return MultiTaskModel(encoder_config(layers=2, width=24, inner_width=32, attention_heads=2, words=30))


def _answer_and_gradients(model: MultiTaskModel) -> tuple[Tensor, list[Tensor]]:
    logits = model(_IDS, _MASK, torch.zeros_like(_IDS))["ner"]
    loss = logits[_MASK == 1].square().sum()
    weights = [weight for weight in model.encoder.parameters() if weight.requires_grad]
    return logits.detach()[_MASK == 1], list(torch.autograd.grad(loss, weights))


def test_answers_and_gradients_are_those_of_the_fused_kernel() -> None:
    fused, tuned = _model(), _model()
    tune_for_cpu(tuned)

    answer, gradients = _answer_and_gradients(tuned)
    expected, expected_gradients = _answer_and_gradients(fused)

    assert tuned.encoder.config._attn_implementation != fused.encoder.config._attn_implementation
    torch.testing.assert_close(answer, expected, rtol=1e-4, atol=1e-6)
    for gradient, other in zip(gradients, expected_gradients, strict=True):
        torch.testing.assert_close(gradient, other, rtol=1e-3, atol=1e-5)


def test_half_precision_stays_half() -> None:
    tuned = _model()
    tune_for_cpu(tuned)
    seen = []
    after = tuned.encoder.get_submodule("encoder.layer.0.attention.output.dense")
    after.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].dtype))

    with torch.autocast("cpu", torch.bfloat16):
        tuned(_IDS, _MASK, torch.zeros_like(_IDS))

    assert seen == [torch.bfloat16]


@pytest.mark.parametrize("fraction", [0.1, 0.5, 0.999])
def test_the_fraction_is_dropped_and_the_mean_stays(fraction: float) -> None:
    torch.manual_seed(0)
    values = torch.ones(1_000, 400, dtype=torch.bfloat16, requires_grad=True)

    left = drop(values, fraction)
    (gradient,) = torch.autograd.grad(left.sum(), values)

    assert left.dtype == values.dtype
    assert (left == 0).float().mean().item() == pytest.approx(fraction, abs=0.005)
    assert left.float().mean().item() == pytest.approx(1, abs=0.05)
    assert torch.equal(gradient == 0, left == 0)


def test_what_is_dropped_follows_from_the_seed() -> None:
    values = torch.ones(8, 8)
    drawn = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        drawn.append(drop(values, 0.5))

    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


def test_nothing_is_dropped_but_in_training() -> None:
    tuned = _model().eval()
    tune_for_cpu(tuned)
    tuned.set_dropout(0.5)

    first, second = (tuned(_IDS, _MASK, torch.zeros_like(_IDS))["ner"] for _ in range(2))

    assert torch.equal(first, second)


def test_dropped_weights_change_the_answer() -> None:
    tuned = _model().train()
    tune_for_cpu(tuned)
    tuned.set_dropout(0.5)
    tuned.encoder.config.attention_probs_dropout_prob = 0.5

    first, second = (tuned(_IDS, _MASK, torch.zeros_like(_IDS))["ner"] for _ in range(2))

    assert not torch.equal(first, second)


def test_a_compiled_dropout_drops_the_fraction() -> None:
    dropped = torch.compile(drop, backend="eager")(torch.ones(100_000), 0.25)

    assert float((dropped == 0).float().mean()) == pytest.approx(0.25, abs=0.01)
    assert float(dropped.mean()) == pytest.approx(1, abs=0.02)


def test_what_training_kept_is_given_back() -> None:
    tune_for_cpu(_model())
    steps = [torch.ones(2**18) for _ in range(400)]  # 1 MiB each
    still_used = steps[::40]

    used = _resident_mib()
    del steps
    give_back_memory()

    assert used - _resident_mib() > 300
    assert all(step.sum() == 2**18 for step in still_used)


def _resident_mib() -> float:
    return psutil.Process().memory_info().rss / 2**20
