"""Fine-tunes the shared encoder on the three public sets, or on one of them: `python -m training.train`.

Writes weights that `python -m training.bundle --weights …` makes a bundle of.
"""

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import fmean

import torch
from pydantic_settings import CliApp
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from schemas.manifest import Window
from training.bundle import WINDOW
from training.checkpoint import ResumeError, load_checkpoint, save_checkpoint, save_epoch
from training.data import DataError, load_entities, load_questions, load_sentiment
from training.encoders import TOKEN_TYPES, WeightsError, pretrained_file
from training.exits import leave
from training.loop import Loop, Teachers, measure_losses
from training.model import MultiTaskModel
from training.prepare import describe
from training.processor import give_back_memory, tune_for_cpu
from training.scoring import Examples, score
from training.settings import WEIGHTS_FILE, TrainSettings
from training.sources import NerSource, QaSource, SentimentSource, Source
from training.splits import hold_out_articles, hold_out_sentences
from training.tracking import TrackingError, open_run_id, track_epoch, track_step, track_training, tracked_run
from training.weights import load_model, load_pretrained, read_history
from training.written import load_written_names, load_written_opinions, load_written_questions
from worker.tokenizer import Tokenizer

_SHORT_WINDOW = WINDOW.model_copy(update={"tokens": WINDOW.text_tokens, "stride": 42})
_LOG_STEPS = 50  # between two points of the learning curves, each the mean of so many steps of a task


def load_examples(settings: TrainSettings) -> tuple[Examples, Examples]:
    """Return what is trained on and what is held out; raises `DataError`."""
    data, limit, tasks, written = settings.data, settings.limit, settings.tasks, settings.written
    phrases, held_phrases = hold_out_sentences(load_sentiment(data, "train") if "sentiment" in tasks else [])
    opinions = load_written_opinions("train") if "sentiment" in tasks else []
    held_opinions = load_written_opinions("dev") if "sentiment" in tasks else []
    questions, held_questions = hold_out_articles(load_questions(data, "train") if "qa" in tasks else [])
    sentences = load_entities(data, "train") if "ner" in tasks else []
    held_sentences = load_entities(data, "dev") if "ner" in tasks else []
    phrases += opinions * written
    sentences += load_written_names("train") * written if "ner" in tasks else []
    questions += load_written_questions("train") * written if "qa" in tasks else []
    return (
        Examples(phrases[:limit], sentences[:limit], questions[:limit]),
        Examples(held_phrases[:limit], held_sentences[:limit], held_questions[:limit], held_opinions[:limit]),
    )


def build_sources(examples: Examples, window: Window = WINDOW, altered: float = 0.0) -> dict[str, Source]:
    """Return the source of each task that has examples; they are read as the worker reads, `window` at a time.

    `altered`: the fraction of the questions that are changed (`TrainSettings.altered_questions`).
    """
    tokenizer = Tokenizer(pretrained_file("tokenizer.json"), window, TOKEN_TYPES)
    sources: dict[str, Source] = {}
    if examples.sentiment:
        sources["sentiment"] = SentimentSource(examples.sentiment, tokenizer)
    if examples.ner:
        sources["ner"] = NerSource(examples.ner, tokenizer)
    if examples.qa:
        sources["qa"] = QaSource(examples.qa, tokenizer, altered)
    return sources


def train(settings: TrainSettings, console: Console) -> dict[str, float]:
    """Fine-tune, write checkpoints, write the weights after every epoch, and return the last epoch's figures by name.

    Raises `DataError`, `WeightsError`, `ResumeError` or `TrackingError`.
    """
    torch.manual_seed(settings.seed)
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    examples, held_out = load_examples(settings)
    digests: dict[str, str] = {task: describe(task, getattr(examples, task)).sha256 for task in settings.tasks}
    altered = settings.altered_questions
    sources = {window.tokens: build_sources(examples, window, altered) for window in (_SHORT_WINDOW, WINDOW)}
    loop = Loop(build_model(settings), sources, settings, load_teachers(settings))
    settings.output.mkdir(parents=True, exist_ok=True)
    run_id = None
    if settings.resume:
        state = load_checkpoint(settings, digests)
        loop.restore(state["loop"])
        run_id = state["run_id"]
        console.print(f"Going on at step {loop.step} of {loop.total_steps}.")
    figures: dict[str, float] = {}
    with tracked_run(settings, "train", run_id) as is_tracked:
        if is_tracked:
            track_training(settings)
        for epoch, losses in run_epochs(loop, settings, digests, console):
            figures = losses | measure(loop.trained(), held_out, settings)
            save_epoch(loop, settings, epoch, figures, loop.seconds)
            console.print(f"epoch {epoch}: " + _line(figures))
            if is_tracked:
                track_epoch(epoch, figures)
    return figures


def run_epochs(
    loop: Loop, settings: TrainSettings, digests: dict[str, str], console: Console
) -> Iterator[tuple[int, dict[str, float]]]:
    """Take the steps that are left; yield the number of each epoch as it ends, and the mean losses of its steps.

    The last one may be a part of an epoch, and so is the first of a resumed run. `digests`: see `save_checkpoint`.
    """
    columns = (MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.fields[losses]}"))
    losses: dict[str, list[float]] = {}
    saved_at = time.monotonic()
    with Progress(*Progress.get_default_columns()[:-1], *columns, console=console) as progress:
        bar = progress.add_task("training", total=loop.total_steps, completed=loop.step, losses="")
        for task, loss in loop.steps():
            losses.setdefault(f"{task}_loss", []).append(loss)
            recent = {name: fmean(each[-_LOG_STEPS:]) for name, each in losses.items()}
            progress.update(bar, completed=loop.step, losses=_line(recent))
            if loop.step % _LOG_STEPS == 0:
                _report(loop, recent, console)
            is_end = loop.step % loop.epoch_steps == 0 or loop.step == loop.total_steps
            if is_end or time.monotonic() - saved_at > 60 * settings.checkpoint_minutes:
                save_checkpoint(loop, settings, digests, open_run_id())
                saved_at = time.monotonic()
            if is_end:
                means = {f"train_{name}": fmean(each) for name, each in losses.items()}
                yield -(-loop.step // loop.epoch_steps), {**means, "loss": fmean(means.values())}
                losses = {}


def measure(model: MultiTaskModel, held_out: Examples, settings: TrainSettings) -> dict[str, float]:
    """Return the losses and scores on what is held out."""
    give_back_memory()
    losses = measure_losses(model, build_sources(held_out), settings)
    give_back_memory()
    return losses | score(model, held_out.sets, settings.device, settings.bf16)


def build_model(settings: TrainSettings) -> MultiTaskModel:
    """Return the model to train; raises `WeightsError`.

    Its word embeddings stay frozen, or a set's words would leave the rest.
    """
    if settings.start is None:
        model = load_pretrained(settings.encoder, settings.pretrained)
    else:
        read_history(settings.start)  # every epoch's history will hold it: that it is missing must show now
        model = load_model(settings.start)
    model.set_dropout(settings.dropout)
    model.encoder.embeddings.word_embeddings.weight.requires_grad_(False)
    if settings.device == "cpu":
        tune_for_cpu(model)
    return model.to(settings.device)


def load_teachers(settings: TrainSettings) -> Teachers:
    """Return the teachers that are there; raises `WeightsError` where the directory holds none."""
    if settings.teachers is None:
        return {}
    paths: dict[str, Path] = {task: settings.teachers / f"{task}.safetensors" for task in settings.tasks}
    teachers = {task: load_model(path).to(settings.device) for task, path in paths.items() if path.is_file()}
    if not teachers:
        raise WeightsError(f"{settings.teachers}: holds none of {', '.join(path.name for path in paths.values())}")
    return teachers


def _report(loop: Loop, losses: Mapping[str, float], console: Console) -> None:
    """Log a point of the learning curves; into a file, where no bar moves, say how far the run is."""
    if open_run_id() is not None:
        curves = {f"running_{name}": value for name, value in losses.items()}
        track_step(loop.step, {**curves, "learning_rate": loop.rate})
    if not console.is_terminal:
        console.print(f"{time.strftime('%H:%M:%S')} step {loop.step} of {loop.total_steps}: {_line(losses)}")


def _line(figures: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.4f}" for name, value in figures.items())


def main() -> None:
    """Train with the settings of the command line."""
    settings = CliApp.run(TrainSettings)
    console = Console()
    try:
        train(settings, console)
    except (DataError, WeightsError, ResumeError, TrackingError) as wrong:
        leave("Nothing was trained", wrong)
    console.print(f"Next: python -m training.bundle --weights {settings.output / WEIGHTS_FILE}")


if __name__ == "__main__":
    main()
