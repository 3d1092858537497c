"""A fine-tune on a few sentences of our own: it learns, it writes what a bundle is made of, it logs, it resumes."""

import gzip
import json
import shutil
from pathlib import Path

import mlflow
import pytest
import torch
from rich.console import Console

from training.bundle import make_bundle
from training.checkpoint import CHECKPOINT_FILE, ResumeError, checkpoint_run_id
from training.encoders import WeightsError
from training.settings import BundleSettings, TrainSettings
from training.train import build_model, load_examples, load_teachers, train
from training.weights import load_model
from training.written import load_written_names, load_written_opinions, load_written_questions
from worker.bundle import load_bundle

_REPEATED = 10  # times that each example stands in its set: an epoch of a few steps would be all checkpoints
_PHRASES = (
    "a warm delight .",
    "it is so very good .",
    "this is pure joy",
    "dull and grey all day .",
    "a sad waste",
    "truly awful",
)
_ANSWERS = {
    "The lamp is green.": ("Which colour has the lamp?", "green"),
    "The chair is red.": ("Which colour has the chair?", "red"),
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("data")
    phrases = _REPEATED * "".join(f"{text}\t{int(number < 3)}\n" for number, text in enumerate(_PHRASES))
    tagged = _REPEATED * "Ada B-PER\nlives O\nin O\nOslo B-LOC\n\nBob B-PER\nleft O\nParis B-LOC\n\n"
    for split in ("train", "dev"):
        files = {
            "sst2": ("tsv", "sentence\tlabel\n" + phrases),
            "conll2003": ("txt", tagged),
            "squad1": ("json", json.dumps({"data": [_article(context) for context in _ANSWERS]})),
        }
        for name, (kind, text) in files.items():
            path = directory / name / f"{split}.{kind}.gz"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(gzip.compress(text.encode()))
    return directory


def _article(context: str) -> dict[str, object]:
    question, answer = _ANSWERS[context]
    found = [{"text": answer, "answer_start": context.index(answer)}]
    asked = _REPEATED * [{"id": answer, "question": question, "answers": found}]
    return {"title": answer, "paragraphs": [{"context": context, "qas": asked}]}


@pytest.fixture(scope="module")
def trained(
    data: Path, tiny_weights: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[TrainSettings, dict[str, float]]:
    directory = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("datasets.config.HF_DATASETS_CACHE", directory / "cache")
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{directory}/mlflow.db")
        settings = TrainSettings(
            start=tiny_weights,
            data=data,
            output=directory / "weights",
            sampling="round_robin",
            epochs=5,
            batch_rows=4,
            learning_rate=1e-2,
            written=0,  # so small a model learns the phrases alone in seconds, not thousands of texts beside them
            altered_questions=0,
        )
        figures = train(settings, Console(quiet=True))
    return settings, figures


def test_every_head_learns(trained: tuple[TrainSettings, dict[str, float]]) -> None:
    _, figures = trained

    assert figures["train_sentiment_loss"] < 0.6  # log 2 = 0.69 before
    assert figures["dev_ner_loss"] < 1.1  # log 9 = 2.2 before
    assert figures["train_qa_loss"] < 2.0  # about log 14 = 2.6 before


def test_what_is_held_out_is_scored(trained: tuple[TrainSettings, dict[str, float]]) -> None:
    _, figures = trained

    scores = {"sentiment_accuracy", "sentiment_accuracy_plain", "ner_f1", "qa_em", "qa_f1"}
    losses = {f"{part}_{task}_loss" for part in ("train", "dev") for task in ("sentiment", "ner", "qa")}
    assert set(figures) == scores | losses | {"loss"}
    assert all(0 <= figures[name] <= 1 for name in scores)


def test_our_texts_are_learnt_beside_the_sets_and_others_held_out(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    alone, held_out = load_examples(TrainSettings(data=data, written=0))
    beside, _ = load_examples(TrainSettings(data=data, written=2))
    names_only, held_names = load_examples(TrainSettings(data=data, tasks=("ner",)))

    assert beside.sentiment == [*alone.sentiment, *2 * load_written_opinions("train")]
    assert beside.ner == [*alone.ner, *2 * load_written_names("train")]
    assert beside.qa == [*alone.qa, *2 * load_written_questions("train")]
    assert held_out.opinions == load_written_opinions("dev")
    assert (names_only.sentiment, held_names.opinions) == ([], [])


def test_weights_of_every_epoch_are_kept_and_the_last_is_current(
    trained: tuple[TrainSettings, dict[str, float]],
) -> None:
    settings, _ = trained

    epochs = sorted(settings.output.glob("epoch-*.safetensors"))
    assert len(epochs) == settings.epochs
    assert (settings.output / "weights.safetensors").read_bytes() == (
        settings.output / f"epoch-{settings.epochs:.0f}.safetensors"
    ).read_bytes()


def test_a_finished_run_is_resumed_to_be_longer(
    trained: tuple[TrainSettings, dict[str, float]], data: Path, tmp_path: Path
) -> None:
    settings, _ = trained
    longer = settings.model_copy(update={"resume": True, "epochs": 5.2, "mlflow_tracking_uri": "", "output": tmp_path})
    (tmp_path / CHECKPOINT_FILE).write_bytes((settings.output / CHECKPOINT_FILE).read_bytes())

    train(longer, Console(quiet=True))

    assert [path.name for path in tmp_path.glob("epoch-*.safetensors")] == ["epoch-6.safetensors"]


def test_another_run_is_not_resumed(trained: tuple[TrainSettings, dict[str, float]]) -> None:
    settings, _ = trained
    other = settings.model_copy(update={"resume": True, "learning_rate": 1e-5, "mlflow_tracking_uri": ""})

    with pytest.raises(ResumeError, match=r"learning_rate was 0\.01 and is 1e-05"):
        train(other, Console(quiet=True))


def test_a_run_is_not_resumed_with_other_examples(
    trained: tuple[TrainSettings, dict[str, float]], data: Path, tmp_path: Path
) -> None:
    """They would be read in another order, and the rate fall as no setting says."""
    settings, _ = trained
    changed = tmp_path / "data"
    shutil.copytree(data, changed)
    path = changed / "sst2" / "train.tsv.gz"
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()) + b"a joy\t1\n"))
    other = settings.model_copy(update={"resume": True, "data": changed, "mlflow_tracking_uri": ""})

    with pytest.raises(ResumeError, match=r"of a run with other examples: sentiment$"):
        train(other, Console(quiet=True))


def test_nothing_is_resumed_without_a_checkpoint(data: Path, tiny_weights: Path, tmp_path: Path) -> None:
    settings = TrainSettings(start=tiny_weights, data=data, output=tmp_path, resume=True)

    with pytest.raises(ResumeError, match="no checkpoint to resume from"):
        train(settings, Console(quiet=True))


def test_a_directory_without_teachers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"holds none of sentiment\.safetensors, ner"):
        load_teachers(TrainSettings(teachers=tmp_path))


def test_weights_without_their_history_are_not_started_from(tiny_weights: Path, tmp_path: Path) -> None:
    bare = tmp_path / "weights.safetensors"
    bare.symlink_to(tiny_weights)

    with pytest.raises(WeightsError, match=r"weights\.json: missing; it says how the weights were trained"):
        build_model(TrainSettings(start=bare))


def test_word_embeddings_stay_as_they_were(trained: tuple[TrainSettings, dict[str, float]], tiny_weights: Path) -> None:
    settings, _ = trained

    words = load_model(settings.output / "weights.safetensors").encoder.embeddings.word_embeddings.weight

    assert torch.equal(words, load_model(tiny_weights).encoder.embeddings.word_embeddings.weight)


def test_trained_weights_become_a_bundle(trained: tuple[TrainSettings, dict[str, float]], tmp_path: Path) -> None:
    settings, _ = trained

    make_bundle(BundleSettings(bundle=tmp_path, weights=settings.output / "weights.safetensors", version="0.2.0"))

    history = load_bundle(tmp_path).manifest.training
    assert history["stage"] == "fine-tuned for 65 of 65 steps"
    assert str(settings.output) not in json.dumps(history)  # paths of this machine are nobody's business


def test_losses_of_every_epoch_are_logged(trained: tuple[TrainSettings, dict[str, float]]) -> None:
    settings, figures = trained
    client = mlflow.MlflowClient(settings.mlflow_tracking_uri)
    experiment = client.get_experiment_by_name("nlp")
    assert experiment is not None

    run = client.search_runs([experiment.experiment_id])[0]

    assert run.data.params["learning_rate"] == "0.01"
    assert {name: run.data.metrics[name] for name in figures} == pytest.approx(figures)
    assert len(client.get_metric_history(run.info.run_id, "train_qa_loss")) == settings.epochs
    assert checkpoint_run_id(settings.output) == run.info.run_id


def test_dropout_is_set_everywhere(tiny_weights: Path) -> None:
    model = build_model(TrainSettings(start=tiny_weights, dropout=0.25))

    assert {module.p for module in model.modules() if isinstance(module, torch.nn.Dropout)} == {0.25}
