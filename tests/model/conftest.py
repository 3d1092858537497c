"""The shipped bundle in both precisions, loaded once."""

import json
from pathlib import Path

import onnx
import pytest

from training.export import export
from training.model import MultiTaskModel
from training.settings import WEIGHTS_FILE
from training.weights import load_model
from worker.bundle import Bundle, load_bundle
from worker.encoder import Encoder
from worker.inference import Inference

BUNDLE = Path(__file__).parents[2] / "models" / "minilm"


@pytest.fixture(scope="session")
def bundle() -> Bundle:
    return load_bundle(BUNDLE)


@pytest.fixture(scope="session")
def torch_model() -> MultiTaskModel:
    return load_model(BUNDLE / WEIGHTS_FILE)


@pytest.fixture(scope="session")
def float_graph(torch_model: MultiTaskModel) -> onnx.ModelProto:
    return export(torch_model)


@pytest.fixture(scope="session")
def float_inference(
    bundle: Bundle, float_graph: onnx.ModelProto, tmp_path_factory: pytest.TempPathFactory
) -> Inference:
    path = tmp_path_factory.mktemp("fp32") / "model.onnx"
    path.write_bytes(float_graph.SerializeToString())
    return Inference(bundle, Encoder(path, bundle.manifest.outputs))


@pytest.fixture(scope="session")
def int8_inference(bundle: Bundle) -> Inference:
    return Inference(bundle, Encoder(bundle.model, bundle.manifest.outputs))


@pytest.fixture(scope="session")
def metrics() -> dict[str, dict[str, float]]:
    values: dict[str, dict[str, float]] = json.loads((BUNDLE / "metrics.json").read_bytes())
    return values
