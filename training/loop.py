"""The training loop: steps, learning rates, teachers, averages, and a state that can be stored and restored."""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim import AdamW
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from training.model import MultiTaskModel
from training.rows import Batch, collate
from training.schedule import Batches, plan_tasks, rate_at
from training.settings import TrainSettings
from training.sources import Source

Teachers = Mapping[str, MultiTaskModel]
"""Task name to a model that was trained on that task alone."""

Forward = Callable[[Tensor, Tensor, Tensor], dict[str, Tensor]]
"""Input ids, attention mask and token types to logits by head."""

_MAX_GRADIENT = 1.0  # norm above which a step is shortened: the usual value for BERT (Devlin et al. 2019)
_AVERAGE_EVERY = 10  # steps: an average over thousands of them loses nothing, and a step on short texts is short


class Loop:
    """A model on its way through its sources; iterate over `steps` and it learns.

    `sources`: length of the windows to task to examples, read in windows of that length: the shortest first, then the
    longest (`TrainSettings.short_windows`).
    `tokens`: how many it has read, without padding. `seconds`: the processor time that took, of all threads.
    `taken`: length of the windows to task to the steps taken with them.
    """

    def __init__(
        self,
        model: MultiTaskModel,
        sources: Mapping[int, Mapping[str, Source]],
        settings: TrainSettings,
        teachers: Teachers,
    ) -> None:
        self.model = model
        self.step = 0
        self.tokens = 0
        self.seconds = 0.0
        self.taken: dict[int, dict[str, int]] = {}
        self._settings = settings
        self._sources = sources
        self._teachers = teachers
        of_any_length = sources[max(sources)]
        self._tasks = list(of_any_length)
        self._batches = {
            task: Batches(source.sizes, settings.batch_rows * source.rows_factor, [settings.seed, number])
            for number, (task, source) in enumerate(of_any_length.items())
        }
        self.epoch_steps = sum(map(len, self._batches.values()))
        self.total_steps = math.ceil(settings.epochs * self.epoch_steps)
        self._optimizer = AdamW(parameter_groups(model, settings), fused=True)
        self._average = AveragedModel(model, multi_avg_fn=_moving_average(settings)) if settings.average else None
        self._forward: Forward = torch.compile(model, dynamic=True) if settings.compile else model

    def steps(self) -> Iterator[tuple[str, float]]:
        """Take the steps that are left; yield each one's task and loss."""
        sizes = {task: len(batches) for task, batches in self._batches.items()}
        plan = plan_tasks(sizes, self.total_steps, self._settings.sampling, self._settings.seed)
        for step, (task, number) in enumerate(plan):
            if step >= self.step:
                begun = time.process_time()
                loss = self._take(task, number)
                self.seconds += time.process_time() - begun
                self.taken.setdefault(self.window, dict.fromkeys(self._tasks, 0))[task] += 1
                self.step += 1
                yield task, loss

    @property
    def rate(self) -> float:
        """The learning rate as a fraction of its highest."""
        return rate_at(self.step, self.total_steps, self._settings.warmup, self._settings.decay)

    @property
    def window(self) -> int:
        """The tokens that the next step reads at once."""
        is_short = self.step < self._settings.short_windows * self.total_steps
        return min(self._sources) if is_short else max(self._sources)

    @property
    def passes(self) -> dict[str, float]:
        """How often each task's examples were read."""
        return {
            task: sum(counts[task] for counts in self.taken.values()) / len(batches)
            for task, batches in self._batches.items()
        }

    def trained(self) -> MultiTaskModel:
        """Return the model to keep: the average where there is one."""
        if self._average is None:
            return self.model
        averaged = self._average.module
        assert isinstance(averaged, MultiTaskModel)
        return averaged

    def state(self) -> dict[str, Any]:
        """Return all that a resumed run needs to go on as if it had not stopped."""
        return {
            "step": self.step,
            "tokens": self.tokens,
            "seconds": self.seconds,
            "taken": self.taken,
            "model": self.model.state_dict(),
            "average": None if self._average is None else self._average.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "random": torch.get_rng_state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on where `state` was taken."""
        self.step, self.tokens, self.seconds = state["step"], state["tokens"], state["seconds"]
        self.taken = state["taken"]
        self.model.load_state_dict(state["model"])
        if self._average is not None:
            self._average.load_state_dict(state["average"])
        self._optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["random"])

    def _take(self, task: str, number: int) -> float:
        batch = self._batch(task, number)
        self.model.train()
        self.tokens += int(batch.attention_mask.sum())
        for group in self._optimizer.param_groups:
            group["lr"] = self.rate * group["highest"]
        logits = logits_of(self._forward, batch, self._settings)
        head = self.model.head(task)
        loss = head.loss(logits, batch.targets)
        if task in self._teachers:
            gold = self.step / self.total_steps
            with torch.inference_mode():
                taught = logits_of(self._teachers[task], batch, self._settings)
            loss = gold * loss + (1 - gold) * head.distance(logits, taught.clone(), batch.targets)
        self._optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), _MAX_GRADIENT)
        self._optimizer.step()
        if self._average is not None and self.step % _AVERAGE_EVERY == 0:
            self._average.update_parameters(self.model)
        return loss.item()

    def _batch(self, task: str, number: int) -> Batch:
        """Return a batch of a task, the same at every call."""
        generator = np.random.default_rng([self._settings.seed, 1 + self._tasks.index(task), number])
        rows = self._sources[self.window][task].rows(self._batches[task][number], generator)
        return collate(task, rows, self._settings.device)


def _moving_average(settings: TrainSettings) -> Callable[..., None]:
    decay = settings.average**_AVERAGE_EVERY
    update: Callable[..., None] = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
    return update


def parameter_groups(model: MultiTaskModel, settings: TrainSettings) -> list[dict[str, Any]]:
    """Return the optimiser's groups: each layer with its own highest rate; biases and norms without decay."""
    layers = model.encoder.config.num_hidden_layers
    groups: dict[tuple[int, bool], list[Tensor]] = {}
    for name, weight in model.named_parameters():
        if weight.requires_grad:
            groups.setdefault((_depth_below_heads(name, layers), weight.ndim > 1), []).append(weight)
    return [
        {
            "params": weights,
            "highest": settings.learning_rate * settings.layer_decay**depth,
            "weight_decay": settings.weight_decay if is_matrix else 0.0,
        }
        for (depth, is_matrix), weights in groups.items()
    ]


def _depth_below_heads(name: str, layers: int) -> int:
    if name.startswith("encoder.encoder.layer."):
        return layers - int(name.split(".")[3])
    return layers + 1 if name.startswith("encoder.embeddings.") else 0


def logits_of(model: Forward, batch: Batch, settings: TrainSettings) -> Tensor:
    """Return the logits of the head that the batch is for, in fp32."""
    kind = settings.device.partition(":")[0]
    with torch.autocast(kind, torch.bfloat16, enabled=settings.bf16):
        logits = model(batch.input_ids, batch.attention_mask, batch.token_type_ids)[batch.task].float()
    if batch.task == "qa":  # padding must not take a share of the probability
        return logits.masked_fill(batch.attention_mask[..., None] == 0, torch.finfo(logits.dtype).min)
    return logits


@torch.inference_mode()
def measure_losses(model: MultiTaskModel, sources: Mapping[str, Source], settings: TrainSettings) -> dict[str, float]:
    """Return each task's mean loss on examples as they are scored, as `dev_<task>_loss`."""
    model.eval()
    losses = {}
    for task, source in sources.items():
        total, count = 0.0, 0
        for numbers in _in_turn(source.sizes, settings.batch_rows):
            batch = collate(task, source.rows(numbers, None), settings.device)
            loss = model.head(task).loss(logits_of(model, batch, settings), batch.targets)
            total, count = total + loss.item() * len(batch.targets), count + len(batch.targets)
        losses[f"dev_{task}_loss"] = total / count
    return losses


def _in_turn(sizes: Sequence[int], rows: int) -> Iterator[list[int]]:
    ordered = sorted(range(len(sizes)), key=sizes.__getitem__)
    for first in range(0, len(ordered), rows):
        yield ordered[first : first + rows]
