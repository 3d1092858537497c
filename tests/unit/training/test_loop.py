"""A run that is interrupted ends as if it had not been, and every option of the optimiser does what it says."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from training.bundle import WINDOW
from training.data import LabelledText, TaggedSentence
from training.loop import Loop, logits_of, measure_losses, parameter_groups
from training.model import MultiTaskModel
from training.rows import Batch
from training.settings import TrainSettings
from training.sources import NerSource, SentimentSource, Source
from training.train import build_model
from worker.tokenizer import Tokenizer

_TOKENIZER = Path(__file__).parents[3] / "models" / "minilm" / "tokenizer.json"
_PHRASES = [LabelledText(f"a {word} film", label) for word, label in (("fine", "positive"), ("dull", "negative"))] * 3
_SENTENCES = [TaggedSentence(("Ada", "met", name), ("B-PER", "O", "B-PER")) for name in ("Bob", "Eve", "Max", "Tom")]


@pytest.fixture(scope="module")
def sources() -> dict[str, Source]:
    return _sources(384)


def _sources(tokens: int, phrases: Sequence[LabelledText] = _PHRASES) -> dict[str, Source]:
    tokenizer = Tokenizer(_TOKENIZER, WINDOW.model_copy(update={"tokens": tokens, "text_tokens": tokens}), 8)
    return {"sentiment": SentimentSource(phrases, tokenizer), "ner": NerSource(_SENTENCES, tokenizer)}


@pytest.fixture
def settings(tiny_weights: Path) -> TrainSettings:
    return _settings(start=tiny_weights)


def _settings(**changed: object) -> TrainSettings:
    values = {"tasks": ("sentiment", "ner"), "batch_rows": 2, "epochs": 2, "dropout": 0.1, "average": 0.9}
    return TrainSettings.model_validate(values | changed)


def _loop(settings: TrainSettings, sources: dict[str, Source]) -> Loop:
    torch.manual_seed(settings.seed)
    return Loop(build_model(settings), {384: sources}, settings, teachers={})


def _weights(model: MultiTaskModel) -> np.ndarray:
    return torch.cat([weight.flatten() for weight in model.parameters() if weight.requires_grad]).detach().numpy()


def test_a_resumed_run_ends_with_the_same_weights_to_the_bit(
    sources: dict[str, Source], settings: TrainSettings, tmp_path: Path
) -> None:
    whole = _loop(settings, sources)
    losses = list(whole.steps())

    first = _loop(settings, sources)
    until = len(losses) // 2
    before = [next_step for _, next_step in zip(range(until), first.steps(), strict=False)]
    torch.save(first.state(), tmp_path / "state.pt")
    torch.manual_seed(123)  # whatever the new process did before
    second = Loop(build_model(settings), {384: sources}, settings, teachers={})
    second.restore(torch.load(tmp_path / "state.pt", weights_only=True))

    assert before + list(second.steps()) == losses
    assert np.array_equal(_weights(second.model), _weights(whole.model))
    assert np.array_equal(_weights(second.trained()), _weights(whole.trained()))
    assert second.tokens == whole.tokens > 0
    assert second.passes == whole.passes


def test_short_windows_are_read_first_and_steps_counted_by_window_and_task(
    sources: dict[str, Source], settings: TrainSettings
) -> None:
    settings = settings.model_copy(update={"short_windows": 0.5})
    loop = Loop(build_model(settings), {384: sources, 16: _sources(16)}, settings, teachers={})

    windows, tasks = zip(*((window, task) for window, (task, _) in _beside(loop)), strict=True)

    half = -(-loop.total_steps // 2)
    assert windows == (16,) * half + (384,) * (loop.total_steps - half)
    assert loop.taken == {
        16: {task: tasks[:half].count(task) for task in sources},
        384: {task: tasks[half:].count(task) for task in sources},
    }
    assert sum(loop.passes.values()) == sum(tasks.count(task) / len(loop._batches[task]) for task in sources)


def _beside(loop: Loop) -> Iterator[tuple[int, tuple[str, float]]]:
    """Yield each step with the window that it was told before it was taken."""
    steps = loop.steps()
    for _ in range(loop.total_steps):
        window = loop.window
        yield window, next(steps)


@pytest.mark.parametrize(("share", "width"), [(0.0, 64), (1.0, 16)])
def test_the_rows_of_a_step_are_cut_as_its_window_says(share: float, width: int, settings: TrainSettings) -> None:
    phrases = [LabelledText("a fine film " * 20, "positive")] * 4
    settings = settings.model_copy(update={"short_windows": share})
    loop = Loop(build_model(settings), {each: _sources(each, phrases) for each in (16, 384)}, settings, teachers={})

    assert loop._batch("sentiment", 0).input_ids.shape[1] == width


def test_the_average_lags_behind_the_weights(sources: dict[str, Source], settings: TrainSettings) -> None:
    settings = settings.model_copy(update={"epochs": 8})
    loop = _loop(settings, sources)
    begin = _weights(loop.model)

    losses = list(loop.steps())

    moved, lagging = (np.abs(_weights(model) - begin).sum() for model in (loop.model, loop.trained()))
    assert len(losses) > 10
    assert 0 < lagging < moved


def test_lower_layers_learn_slower_and_vectors_do_not_decay(settings: TrainSettings) -> None:
    settings = settings.model_copy(update={"layer_decay": 0.5, "learning_rate": 1e-3})
    model = build_model(settings)

    groups = parameter_groups(model, settings)

    names = {id(weight): name for name, weight in model.named_parameters()}
    group_of = {names[id(weight)]: group for group in groups for weight in group["params"]}
    top, bottom = "encoder.encoder.layer.1.output.dense", "encoder.encoder.layer.0.output.dense"
    assert group_of["heads.ner.linear.weight"]["highest"] == 1e-3
    assert group_of[f"{top}.weight"]["highest"] == 5e-4
    assert group_of[f"{bottom}.weight"]["highest"] == pytest.approx(1e-3 / 2**2)
    assert group_of[f"{bottom}.bias"]["weight_decay"] == 0.0
    assert group_of[f"{bottom}.weight"]["weight_decay"] == settings.weight_decay
    assert "encoder.embeddings.word_embeddings.weight" not in group_of


def test_a_teacher_is_followed_at_first(sources: dict[str, Source], settings: TrainSettings) -> None:
    settings = settings.model_copy(update={"dropout": 0.0, "average": 0.0})
    teacher, sure = build_model(settings), torch.tensor([4.0, -4.0])  # that all is negative
    with torch.no_grad():
        teacher.head("sentiment").linear.weight.zero_()
        teacher.head("sentiment").linear.bias.copy_(sure)
    only = {"sentiment": sources["sentiment"]}
    torch.manual_seed(0)
    loop = Loop(build_model(settings), {384: only}, settings, teachers={"sentiment": teacher.eval()})

    with torch.inference_mode():
        logits = logits_of(loop.model, loop._batch("sentiment", 0), settings)
    expected = -(sure.softmax(0) * logits.log_softmax(-1)).sum(-1).mean().item()

    assert next(iter(loop.steps()))[1] == pytest.approx(expected, abs=1e-5)


def test_padding_takes_no_share_of_an_answers_probability(settings: TrainSettings) -> None:
    model = build_model(settings).eval()
    ids, target = torch.tensor([[101, 2073, 102, 3000, 102]]), torch.tensor([[3, 3]])
    mask, types = torch.ones_like(ids), torch.zeros_like(ids)
    long_ids, long_mask, long_types = (torch.nn.functional.pad(tensor, (0, 4)) for tensor in (ids, mask, types))

    with torch.inference_mode():
        alone = logits_of(model, Batch("qa", ids, mask, types, target), settings)
        beside = logits_of(model, Batch("qa", long_ids, long_mask, long_types, target), settings)
        head = model.head("qa")

    assert head.loss(beside, target).item() == pytest.approx(head.loss(alone, target).item(), abs=1e-5)


def test_bfloat16_gives_nearly_the_same_logits(settings: TrainSettings) -> None:
    model = build_model(settings).eval()
    ids = torch.tensor([[101, 2307, 102]])
    batch = Batch("sentiment", ids, torch.ones_like(ids), torch.zeros_like(ids), torch.tensor([[1]]))

    with torch.inference_mode():
        exact, short = (logits_of(model, batch, settings.model_copy(update={"bf16": each})) for each in (False, True))

    assert torch.allclose(short, exact, atol=0.05)
    assert not torch.equal(short, exact)


def test_losses_are_means_over_plain_rows(sources: dict[str, Source], settings: TrainSettings) -> None:
    model = build_model(settings)

    first, second = (measure_losses(model, sources, settings) for _ in range(2))

    assert first == second
    assert set(first) == {"dev_sentiment_loss", "dev_ner_loss"}
