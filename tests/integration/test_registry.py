"""A real MLflow server: runs are logged, bundles registered, and workers load the champion or say why they do not."""

import asyncio
import gzip
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import mlflow
import onnx
import pytest
from mlflow import MlflowClient

from local.ports import free_port
from schemas import Topics
from schemas.errors import BundleError, RegistryUnavailable
from schemas.headers import MODEL
from schemas.manifest import FLOAT_MODEL_FILE, MANIFEST_FILE, METRICS_FILE, QUANTIZED_MODEL_FILE, TOKENIZER_FILE
from tests.integration.caller import Caller, header
from tests.integration.load import requests
from tests.integration.polling import eventually
from tests.integration.registries import MlflowServer, describe, fresh_name, publish
from tests.integration.workers import NewWorker, WorkerProcess
from training import evaluate
from training.register import Registered, register
from training.settings import RegisterSettings, TrainSettings
from training.tracking import EXPERIMENT, open_run_id, track_epoch, track_step, track_training, tracked_run
from worker.bundle import Bundle, load_bundle
from worker.fetch import fetch
from worker.registry import Registry

pytestmark = pytest.mark.anyio

SHIPPED = Path("models/minilm")
METRICS = {"fp32": {"qa_f1": 0.75}, "int8": {"qa_f1": 0.625}}
FILES = (MANIFEST_FILE, QUANTIZED_MODEL_FILE, TOKENIZER_FILE)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    """Run one MLflow server for the module, and send everything there."""
    server = MlflowServer(tmp_path_factory.mktemp("mlflow"))
    server.start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", server.uri)
        try:
            asyncio.run(eventually(server.answers, "the MLflow server answers", within_s=240.0))
            mlflow.set_tracking_uri(server.uri)
            yield server
        finally:
            server.stop()


@pytest.fixture
def registry(server: MlflowServer, tmp_path: Path) -> Registry:
    return Registry(server.uri, tmp_path / "cache", wait_s=60.0)


def _gate(directory: Path, bundle: Path, **said: Any) -> Path:
    path = directory / "gate.json"
    digest = load_bundle(bundle).manifest.files[QUANTIZED_MODEL_FILE]
    path.write_text(json.dumps({"passed": True, "digest": digest} | said))
    return path


@dataclass(frozen=True)
class Champion:
    """A bundle as it was registered, and with what settings."""

    settings: RegisterSettings
    registered: Registered

    @property
    def bundle(self) -> Bundle:
        """The bundle where it was made."""
        return load_bundle(self.settings.bundle)


@pytest.fixture(scope="module")
def champion(server: MlflowServer, tmp_path_factory: pytest.TempPathFactory) -> Champion:
    """Register the shipped bundle's files, as `make register` does after a gate that was passed."""
    bundle = tmp_path_factory.mktemp("champion")
    for name in (*FILES, "weights.safetensors", "weights.json"):
        shutil.copy(SHIPPED / name, bundle)
    (bundle / METRICS_FILE).write_text(json.dumps(METRICS))
    report = _gate(tmp_path_factory.mktemp("gate"), bundle)
    settings = RegisterSettings(bundle=bundle, gate_report=report, registered_name="shipped")
    return Champion(settings, register(settings))


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The files of the shipped bundle that a worker needs, to be spoilt."""
    directory = tmp_path / "bundle"
    directory.mkdir()
    for name in FILES:
        shutil.copy(SHIPPED / name, directory)
    return directory


async def test_a_training_logs_curves_epochs_settings_and_the_machine(
    server: MlflowServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "0.1")
    client = MlflowClient()
    epochs = [{"loss": 1.0, "qa_f1": 0.5}, {"loss": 0.5, "qa_f1": 0.75}]

    async def has_system_metrics() -> bool:
        return "system/cpu_utilization_percentage" in client.get_run(run_id).data.metrics

    settings = TrainSettings(output=tmp_path, epochs=2)
    with tracked_run(settings, "train") as is_tracked:
        run_id = open_run_id() or ""
        track_training(settings)
        for epoch, metrics in enumerate(epochs, start=1):
            track_step(10 * epoch, {"running_loss": 2.0 / epoch})
            track_epoch(epoch, metrics)
        await eventually(has_system_metrics, "the machine is measured")

    assert is_tracked
    run = client.get_run(run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params["seed"] == "0"
    history = {name: client.get_metric_history(run_id, name) for name in ("loss", "qa_f1", "running_loss")}
    assert [(each.step, each.value) for each in history["loss"]] == [(1, 1.0), (2, 0.5)]
    assert [(each.step, each.value) for each in history["qa_f1"]] == [(1, 0.5), (2, 0.75)]
    assert [(each.step, each.value) for each in history["running_loss"]] == [(10, 2.0), (20, 1.0)]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A sentence of each set that is scored."""
    context = "Ada lives in Oslo."
    answer = {"text": "Oslo", "answer_start": context.index("Oslo")}
    paragraph = {"context": context, "qas": [{"id": "1", "question": "Where does Ada live?", "answers": [answer]}]}
    sets = {
        "sst2/dev.tsv": "sentence\tlabel\na warm delight\t1\ntruly awful\t0\n",
        "conll2003/test.txt": "Ada B-PER\nlives O\nin O\nOslo B-LOC\n",
        "squad1/dev.json": json.dumps({"data": [{"title": "t", "paragraphs": [paragraph]}]}),
    }
    for name, text in sets.items():
        path = tmp_path / "sets" / f"{name}.gz"
        path.parent.mkdir(parents=True)
        path.write_bytes(gzip.compress(text.encode()))
    return tmp_path / "sets"


def test_scoring_logs_metrics_and_plots(
    server: MlflowServer, copy: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(sys, "argv", ["evaluate", "--bundle", str(copy), "--data", str(data), "--parts", "int8"])
    client = MlflowClient()

    evaluate.main()

    experiment = client.get_experiment_by_name(EXPERIMENT)
    assert experiment is not None
    run = client.search_runs([experiment.experiment_id], "attributes.run_name LIKE 'evaluate %'")[0]
    metrics = json.loads((copy / METRICS_FILE).read_bytes())
    assert {name: run.data.metrics[f"int8_{name}"] for name in metrics["int8"]} == metrics["int8"]
    plots = {Path(artifact.path).stem for artifact in client.list_artifacts(run.info.run_id, "plots")}
    reliability = {f"{head}_reliability{when}" for head in ("sentiment", "ner", "qa") for when in ("", "_before")}
    assert plots == {"sentiment_confusion", "ner_f1_by_type", "qa_f1_by_answer_length"} | reliability


def test_a_registered_bundle_has_signature_digest_metrics_and_the_alias(champion: Champion) -> None:
    version = MlflowClient().get_model_version_by_alias("shipped", "champion")

    assert champion.registered == Registered("shipped", "1", None)
    assert str(version.version) == "1"
    assert (
        version.tags["bundle_sha256"]
        == hashlib.sha256((champion.settings.bundle / MANIFEST_FILE).read_bytes()).hexdigest()
    )
    assert version.tags["model"] == champion.bundle.identity
    assert (version.tags["fp32_qa_f1"], version.tags["int8_qa_f1"]) == ("0.7500", "0.6250")
    signature = mlflow.models.get_model_info("models:/shipped@champion").signature
    assert signature is not None
    assert signature.inputs.input_names() == ["text", "tasks", "questions"]
    assert signature.outputs.input_names() == ["id", "text", "sentiment", "entities", "answers"]


def test_the_run_of_a_registered_bundle_has_its_files(champion: Champion) -> None:
    client = MlflowClient()
    run_id = client.get_model_version("shipped", "1").run_id

    logged = {artifact.path for artifact in client.list_artifacts(run_id or "", "bundle")}

    names = {FLOAT_MODEL_FILE, QUANTIZED_MODEL_FILE, METRICS_FILE, MANIFEST_FILE}
    assert {f"bundle/{name}" for name in names} <= logged


def test_a_registered_bundle_answers_through_mlflow_alone(champion: Champion, tmp_path: Path) -> None:
    code = """if True:
        import json, mlflow, sys
        model = mlflow.pyfunc.load_model("models:/shipped@champion")
        rows = [
            {"text": "Apple Inc. opened an office in London.", "questions": ["Where?"]},
            {"text": "Awful.", "questions": None},
        ]
        import worker
        print(json.dumps([worker.__file__, model.predict(rows)]), file=sys.stdout)
    """

    # From another directory: what it runs is the code that was registered, not this checkout's.
    ran = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)

    assert ran.returncode == 0, ran.stderr
    source, (first, second) = json.loads(ran.stdout.splitlines()[-1])
    assert not Path(source).is_relative_to(Path.cwd())
    assert [(each["text"], each["type"]) for each in first["entities"]] == [("Apple Inc.", "ORG"), ("London", "LOC")]
    assert first["answers"][0]["question"] == "Where?"
    assert second["sentiment"]["label"] == "negative"


def test_a_bundle_is_registered_once(champion: Champion) -> None:
    assert register(champion.settings) == champion.registered


def test_a_refused_bundle_is_a_version_without_the_alias(champion: Champion, tmp_path: Path) -> None:
    settings = champion.settings.model_copy(
        update={"gate_report": _gate(tmp_path, champion.settings.bundle, passed=False), "alias": "refused"}
    )

    registered = register(settings)

    assert registered.version == champion.registered.version
    assert registered.objection == f"the gate refused it: see {tmp_path}/gate.json"
    assert "refused" not in MlflowClient().get_registered_model("shipped").aliases


async def test_workers_follow_the_champion_at_their_next_start(
    champion: Champion, new_worker: NewWorker, caller: Caller, fresh_topics: Topics, copy: Path, tmp_path: Path
) -> None:
    graph = onnx.load(copy / QUANTIZED_MODEL_FILE)
    graph.doc_string = "another graph that answers the same"
    onnx.save(graph, copy / QUANTIZED_MODEL_FILE)
    digest = hashlib.sha256((copy / QUANTIZED_MODEL_FILE).read_bytes()).hexdigest()
    describe(copy, version="0.2.0", files={**champion.bundle.manifest.files, QUANTIZED_MODEL_FILE: digest})
    worker = new_worker("worker", bundle="models:/shipped@champion", bundle_cache=tmp_path / "cache")

    first = await _models_of(worker, caller, requests(fresh_topics, 0, 4))
    MlflowClient().set_registered_model_alias("shipped", "champion", publish("shipped", copy))
    second = await _models_of(worker, caller, requests(fresh_topics, 4, 4))
    MlflowClient().set_registered_model_alias("shipped", "champion", champion.registered.version)

    assert first == {champion.bundle.identity}
    assert second == {*first, f"minilm:0.2.0@sha256:{digest[:16]}"}


async def _models_of(worker: WorkerProcess, caller: Caller, sent: list[Any]) -> set[str | None]:
    """Start the worker, let it answer, end it; returns the models that all outputs so far name."""
    worker.start()
    await worker.ready()
    await caller.send(sent)
    await caller.settled()
    worker.terminate()
    assert await worker.ended() == 0
    return {header(output, MODEL) for output in await caller.outputs()}


async def test_a_worker_ends_with_one_clear_line_when_nobody_is_champion(
    server: MlflowServer, new_worker: NewWorker, tmp_path: Path
) -> None:
    worker = new_worker("worker", bundle="models:/nobody@champion", bundle_cache=tmp_path / "cache")

    worker.start()

    assert await worker.ended() == 1
    assert worker.log.splitlines()[-1].endswith(
        "invalid_bundle: models:/nobody@champion: RESOURCE_DOES_NOT_EXIST: Registered Model with name=nobody not found"
    )
    assert "Traceback" not in worker.log


def test_an_unknown_alias_is_named(champion: Champion, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"models:/shipped@missing: .*alias missing not found"):
        fetch("models:/shipped@missing", tmp_path)


def test_an_unknown_version_is_named(champion: Champion, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"models:/shipped/99: .*version=99\) not found"):
        fetch("models:/shipped/99", tmp_path)


def test_a_name_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"models:/shipped: neither models:/<name>@<alias> nor"):
        fetch("models:/shipped", tmp_path)


def test_a_version_by_its_number_is_found(champion: Champion, tmp_path: Path) -> None:
    directory = fetch("models:/shipped/1", tmp_path).directory(tmp_path)

    assert sorted(path.name for path in directory.iterdir()) == sorted(FILES)
    assert load_bundle(directory).identity == champion.bundle.identity


def test_a_tampered_graph_is_refused_and_not_kept(server: MlflowServer, tmp_path: Path, copy: Path) -> None:
    name = fresh_name()
    publish(name, copy)
    stored = max(server.stored(f"artifacts/bundle/{QUANTIZED_MODEL_FILE}"), key=lambda path: path.stat().st_mtime_ns)
    with stored.open("r+b") as graph:
        graph.seek(1_000_000)
        graph.write(b"tampered")

    with pytest.raises(BundleError, match=rf"{QUANTIZED_MODEL_FILE}: its sha256 is \w+, the manifest says"):
        fetch(f"models:/{name}/1", tmp_path)
    assert list(tmp_path.iterdir()) == [copy]


def test_a_manifest_that_the_registry_does_not_know_is_refused(
    server: MlflowServer, tmp_path: Path, copy: Path
) -> None:
    name = fresh_name()
    publish(name, copy, tags={"bundle_sha256": "0" * 64})

    with pytest.raises(BundleError, match=rf"{MANIFEST_FILE}: its sha256 is \w+, the registry says 0000"):
        fetch(f"models:/{name}/1", tmp_path)


def test_a_version_of_others_is_refused(server: MlflowServer, tmp_path: Path, copy: Path) -> None:
    name = fresh_name()
    publish(name, copy, tags={})

    with pytest.raises(BundleError, match=rf"models:/{name}/1: version 1 has no tag bundle_sha256"):
        fetch(f"models:/{name}/1", tmp_path)


def test_a_version_with_a_file_missing_is_refused(server: MlflowServer, tmp_path: Path, copy: Path) -> None:
    name = fresh_name()
    (copy / TOKENIZER_FILE).unlink()
    publish(name, copy)

    with pytest.raises(
        BundleError, match=rf"^models:/{name}/1: version 1 has no {TOKENIZER_FILE} in artifacts/bundle$"
    ):
        fetch(f"models:/{name}/1", tmp_path)


def test_a_manifest_of_a_later_schema_is_refused(server: MlflowServer, tmp_path: Path, copy: Path) -> None:
    name = fresh_name()
    describe(copy, schema_version=2)
    publish(name, copy)

    with pytest.raises(BundleError, match="is none that this worker reads: schema_version: Input should be 1"):
        fetch(f"models:/{name}/1", tmp_path)


async def test_what_was_kept_is_used_while_the_registry_hangs(
    champion: Champion, server: MlflowServer, registry: Registry, caplog: pytest.LogCaptureFixture
) -> None:
    found = await registry.find_bundle("models:/shipped@champion")

    with server.paused():
        bundle = await replace(registry, wait_s=2.0).find_bundle("models:/shipped@champion")

    assert bundle.directory == found.directory
    assert "no answer within 2 s); going on with version 1, which models:/shipped@champion named last" in caplog.text


def test_a_digest_that_is_none_is_refused(server: MlflowServer, tmp_path: Path, copy: Path) -> None:
    name = fresh_name()
    publish(name, copy, tags={"bundle_sha256": "../../elsewhere"})

    with pytest.raises(BundleError, match=rf"models:/{name}/1: the tag bundle_sha256 of version 1 is no sha256"):
        fetch(f"models:/{name}/1", tmp_path)


async def test_a_registry_that_is_away_is_named_when_nothing_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    away = Registry(f"http://127.0.0.1:{free_port()}", tmp_path, wait_s=60.0)

    with pytest.raises(RegistryUnavailable, match=rf"no model registry at {away.tracking_uri} .*keeps nothing of"):
        await away.find_bundle("models:/shipped@champion")


def test_a_copy_that_was_damaged_is_fetched_anew(champion: Champion, tmp_path: Path) -> None:
    directory = fetch("models:/shipped/1", tmp_path).directory(tmp_path)
    (directory / QUANTIZED_MODEL_FILE).write_bytes(b"damaged")

    fetch("models:/shipped/1", tmp_path)

    assert load_bundle(directory).identity == champion.bundle.identity
