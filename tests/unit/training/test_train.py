"""A fine-tune on a few sentences of our own: it learns, it writes what a bundle is made of, it logs."""

import gzip
import json
from pathlib import Path

import mlflow
import pytest
import torch
from rich.console import Console

from training.bundle import make_bundle
from training.rows import Batch
from training.settings import BundleSettings, TrainSettings
from training.train import build_model, loss_of, rate_at, train
from training.weights import load_model, load_pretrained
from worker.bundle import load_bundle

_PHRASES = ("a warm delight", "so very good", "pure joy", "dull and grey", "a sad waste", "truly awful")
_CONTEXT = "The lamp is green. The chair is red."


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("data")
    phrases = "".join(f"{text}\t{int(number < 3)}\n" for number, text in enumerate(_PHRASES))
    tagged = "Ada B-PER\nlives O\nin O\nOslo B-LOC\n\nBob B-PER\nleft O\nParis B-LOC\n"
    answers = [("Which colour has the lamp?", "green"), ("Which colour has the chair?", "red")]
    questions = [
        {"id": text, "question": question, "answers": [{"text": text, "answer_start": _CONTEXT.index(text)}]}
        for question, text in answers
    ]
    squad = json.dumps({"data": [{"title": "t", "paragraphs": [{"context": _CONTEXT, "qas": questions}]}]})
    for split in ("train", "dev"):
        files = {
            "sst2": ("tsv", "sentence\tlabel\n" + phrases),
            "conll2003": ("txt", tagged),
            "squad1": ("json", squad),
        }
        for name, (kind, text) in files.items():
            path = directory / name / f"{split}.{kind}.gz"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(gzip.compress(text.encode()))
    return directory


@pytest.fixture(scope="module")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[TrainSettings, dict[str, float]]:
    directory = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("datasets.config.HF_DATASETS_CACHE", directory / "cache")
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{directory}/mlflow.db")
        settings = TrainSettings(data=data, output=directory / "weights", epochs=12, batch_rows=4, learning_rate=3e-4)
        losses = train(settings, Console(quiet=True))
    return settings, losses


def test_every_head_learns(trained: tuple[TrainSettings, dict[str, float]]) -> None:
    _, losses = trained

    assert losses["dev_sentiment_loss"] < 0.35  # log 2 = 0.69 before
    assert losses["dev_ner_loss"] < 1.1  # log 9 = 2.2 before
    assert losses["dev_qa_loss"] < 1.5  # about log 17 = 2.8 before


def test_weights_of_every_epoch_are_kept_and_the_last_is_current(
    trained: tuple[TrainSettings, dict[str, float]],
) -> None:
    settings, _ = trained

    epochs = sorted(settings.output.glob("epoch-*.safetensors"))
    assert len(epochs) == settings.epochs
    assert (settings.output / "weights.safetensors").read_bytes() == (
        settings.output / f"epoch-{settings.epochs}.safetensors"
    ).read_bytes()


def test_word_embeddings_stay_as_pretrained(trained: tuple[TrainSettings, dict[str, float]]) -> None:
    settings, _ = trained

    words = load_model(settings.output / "weights.safetensors").encoder.embeddings.word_embeddings.weight

    assert torch.equal(words, load_pretrained().encoder.embeddings.word_embeddings.weight)


def test_trained_weights_become_a_bundle(trained: tuple[TrainSettings, dict[str, float]], tmp_path: Path) -> None:
    settings, _ = trained

    make_bundle(BundleSettings(bundle=tmp_path, weights=settings.output / "weights.safetensors", version="0.2.0"))

    history = load_bundle(tmp_path).manifest.training
    assert history["stage"] == "fine-tuned for 12 of 12 epochs"
    assert str(settings.output) not in json.dumps(history)  # paths of this machine are nobody's business


def test_losses_of_every_epoch_are_logged(trained: tuple[TrainSettings, dict[str, float]]) -> None:
    settings, losses = trained
    client = mlflow.MlflowClient(settings.mlflow_tracking_uri)
    experiment = client.get_experiment_by_name("nlp")
    assert experiment is not None

    run = client.search_runs([experiment.experiment_id])[0]

    assert run.data.params["learning_rate"] == "0.0003"
    assert run.data.metrics == pytest.approx(losses)
    assert len(client.get_metric_history(run.info.run_id, "train_qa_loss")) == settings.epochs


def test_padding_takes_no_share_of_an_answers_probability() -> None:
    settings = TrainSettings()
    model = build_model(settings).eval()
    ids, target = torch.tensor([[101, 2073, 102, 3000, 102]]), torch.tensor([[3, 3]])
    mask = torch.ones_like(ids)
    types = torch.zeros_like(ids)
    long_ids, long_mask, long_types = (torch.nn.functional.pad(tensor, (0, 4)) for tensor in (ids, mask, types))

    with torch.inference_mode():
        alone = loss_of(model, Batch("qa", ids, mask, types, target), settings)
        beside = loss_of(model, Batch("qa", long_ids, long_mask, long_types, target), settings)

    assert beside.item() == pytest.approx(alone.item(), abs=1e-5)


def test_bfloat16_gives_nearly_the_same_loss() -> None:
    model = build_model(TrainSettings()).eval()
    ids = torch.tensor([[101, 2307, 102]])
    batch = Batch("sentiment", ids, torch.ones_like(ids), torch.zeros_like(ids), torch.tensor([[1]]))

    with torch.inference_mode():
        exact, short = (loss_of(model, batch, TrainSettings(bf16=bf16)).item() for bf16 in (False, True))

    assert short == pytest.approx(exact, abs=0.05)
    assert short != exact


def test_dropout_is_set_everywhere() -> None:
    model = build_model(TrainSettings(dropout=0.25))

    assert {module.p for module in model.modules() if isinstance(module, torch.nn.Dropout)} == {0.25}


@pytest.mark.parametrize(("progress", "rate"), [(0.0, 0.0), (0.05, 0.5), (0.1, 1.0), (0.55, 0.5), (1.0, 0.0)])
def test_rate_rises_and_falls_in_lines(progress: float, rate: float) -> None:
    assert rate_at(progress, warmup=0.1) == pytest.approx(rate)
