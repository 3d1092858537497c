"""Fine-tunes the shared encoder and its heads on the three public sets: `python -m training.train`.

Writes weights that `python -m training.bundle --weights …` makes a bundle of.
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from pydantic_settings import CliApp
from rich.console import Console
from rich.progress import Progress
from torch import Tensor
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR

from training.bundle import WINDOW
from training.data import DataError, load_entities, load_questions, load_sentiment
from training.model import TOKEN_TYPES, MultiTaskModel
from training.rows import Batch, Row, collate, ner_rows, qa_rows, sentiment_rows
from training.schedule import plan_epoch
from training.settings import WEIGHTS_FILE, TrainSettings
from training.tracking import track_epoch, track_training, tracked_run
from training.weights import WeightsError, load_model, load_pretrained, pretrained_file, save_weights
from worker.tokenizer import Tokenizer

Rows = Mapping[str, Sequence[Row]]
"""Task name to rows."""

_MAX_GRADIENT = 1.0  # norm above which a step is shortened: the usual value for BERT (Devlin et al. 2019)


def load_rows(settings: TrainSettings, split: str) -> Rows:
    """Return the rows of a split, "train" or "dev", read as the worker reads."""
    tokenizer = Tokenizer(pretrained_file("tokenizer.json"), WINDOW, TOKEN_TYPES)
    return {
        "sentiment": sentiment_rows(load_sentiment(settings.data, split)[: settings.limit], tokenizer),
        "ner": ner_rows(load_entities(settings.data, split)[: settings.limit], tokenizer),
        "qa": qa_rows(load_questions(settings.data, split)[: settings.limit], tokenizer),
    }


def train(settings: TrainSettings, console: Console) -> dict[str, float]:
    """Fine-tune, write the weights after every epoch, and return the last epoch's losses by name."""
    torch.manual_seed(settings.seed)
    generator = np.random.default_rng(settings.seed)
    rows, dev_rows = load_rows(settings, "train"), load_rows(settings, "dev")
    model = build_model(settings)
    steps = settings.epochs * len(plan_epoch(rows, settings.batch_rows, np.random.default_rng()))
    optimizer = AdamW(
        [weight for weight in model.parameters() if weight.requires_grad],
        lr=settings.learning_rate,
        weight_decay=settings.weight_decay,
    )
    schedule = LambdaLR(optimizer, lambda step: rate_at(step / steps, settings.warmup))
    losses: dict[str, float] = {}
    with tracked_run(settings, "train") as is_tracked:
        if is_tracked:
            track_training(settings)
        for epoch in range(1, settings.epochs + 1):
            plan = plan_epoch(rows, settings.batch_rows, generator)
            losses = run_epoch(model, optimizer, schedule, plan, settings, console, f"epoch {epoch}")
            losses |= measure_losses(model, dev_rows, settings)
            save(model, settings, epoch, losses)
            console.print(f"epoch {epoch}: " + ", ".join(f"{name} {value:.4f}" for name, value in losses.items()))
            if is_tracked:
                track_epoch(epoch, losses)
    return losses


def build_model(settings: TrainSettings) -> MultiTaskModel:
    """Return the model to train. Its word embeddings stay frozen, or a set's words would leave the rest."""
    model = load_pretrained() if settings.start is None else load_model(settings.start)
    model.set_dropout(settings.dropout)
    model.encoder.embeddings.word_embeddings.weight.requires_grad_(False)
    return model.to(settings.device)


def rate_at(progress: float, warmup: float) -> float:
    """Return the learning rate as a fraction of its highest: up in a line during the warm-up, then down in one to 0."""
    if progress < warmup:
        return progress / warmup
    return (1 - progress) / (1 - warmup)


def run_epoch(
    model: MultiTaskModel,
    optimizer: AdamW,
    schedule: LambdaLR,
    plan: Sequence[tuple[str, list[Row]]],
    settings: TrainSettings,
    console: Console,
    title: str,
) -> dict[str, float]:
    """Take one step a batch; return each task's mean loss as `train_<task>_loss`."""
    model.train()
    sums: dict[str, list[float]] = {}
    with Progress(console=console) as progress:
        for task, rows in progress.track(plan, description=title):
            loss = loss_of(model, collate(task, rows, settings.device), settings)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(model.parameters(), _MAX_GRADIENT)
            optimizer.step()
            schedule.step()
            sums.setdefault(task, []).append(loss.item())
    return {f"train_{task}_loss": float(np.mean(values)) for task, values in sums.items()}


def loss_of(model: MultiTaskModel, batch: Batch, settings: TrainSettings) -> Tensor:
    """Return the loss of the head that the batch is for, a scalar in fp32."""
    kind = settings.device.partition(":")[0]
    with torch.autocast(kind, torch.bfloat16, enabled=settings.bf16):
        logits = model(batch.input_ids, batch.attention_mask, batch.token_type_ids)[batch.task]
    logits = logits.float()
    if batch.task == "qa":  # padding must not take a share of the probability
        logits = logits.masked_fill(batch.attention_mask[..., None] == 0, torch.finfo(logits.dtype).min)
    loss: Tensor = model.head(batch.task).loss(logits, batch.targets)
    return loss


@torch.inference_mode()
def measure_losses(model: MultiTaskModel, rows: Rows, settings: TrainSettings) -> dict[str, float]:
    """Return each task's mean loss on rows that are not trained on, as `dev_<task>_loss`."""
    model.eval()
    losses = {}
    for task, its_rows in rows.items():
        batches = _in_turn(task, its_rows, settings)
        weighted = [(loss_of(model, batch, settings).item(), len(batch.targets)) for batch in batches]
        losses[f"dev_{task}_loss"] = sum(loss * count for loss, count in weighted) / len(its_rows)
    return losses


def _in_turn(task: str, rows: Sequence[Row], settings: TrainSettings) -> Iterator[Batch]:
    ordered = sorted(rows, key=lambda row: len(row.window))
    for first in range(0, len(ordered), settings.batch_rows):
        yield collate(task, ordered[first : first + settings.batch_rows], settings.device)


def save(model: MultiTaskModel, settings: TrainSettings, epoch: int, losses: dict[str, float]) -> None:
    """Write the weights and their history, under the epoch's name and under the one that is always the latest."""
    settings.output.mkdir(parents=True, exist_ok=True)
    history = json.dumps(_history(settings, epoch, losses), indent=2) + "\n"
    for name in (f"epoch-{epoch}.safetensors", WEIGHTS_FILE):
        path = settings.output / name
        save_weights(model, path)
        path.with_suffix(".json").write_text(history, encoding="utf-8")


def _history(settings: TrainSettings, epoch: int, losses: dict[str, float]) -> dict[str, Any]:
    hidden = {"data", "output", "bundle", "start", "mlflow_tracking_uri", "device"}  # of this machine
    before = {} if settings.start is None else json.loads(settings.start.with_suffix(".json").read_bytes())
    return {
        "stage": f"fine-tuned for {epoch} of {settings.epochs} epochs",
        "base": before or "sentence-transformers/all-MiniLM-L6-v2, word embeddings frozen",
        "data": {"sentiment": "SST-2 (GLUE) train", "ner": "CoNLL-2003 English train", "qa": "SQuAD 1.1 train"},
        "settings": settings.model_dump(mode="json", exclude=hidden),
        "losses": {name: round(value, 5) for name, value in losses.items()},
        "calibration": "none: temperatures are 1",
    }


def main() -> None:
    """Train with the settings of the command line."""
    settings = CliApp.run(TrainSettings)
    console = Console()
    try:
        train(settings, console)
    except (DataError, WeightsError) as wrong:
        sys.exit(f"Nothing was trained: {wrong}")
    console.print(f"Next: python -m training.bundle --weights {settings.output / WEIGHTS_FILE}")


if __name__ == "__main__":
    main()
