import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import BundleError
from worker.bundle import Bundle, load_bundle


@pytest.fixture
def copy(bundle: Bundle, tmp_path: Path) -> Path:
    for name in ("manifest.json", "model.quant.onnx", "tokenizer.json"):
        shutil.copy(bundle.directory / name, tmp_path)
    return tmp_path


def _rewrite(directory: Path, **changes: Any) -> None:
    path = directory / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_identity_names_model_version_and_digest(bundle: Bundle) -> None:
    name, _, digest = bundle.identity.partition("@sha256:")

    assert name == f"{bundle.manifest.name}:{bundle.manifest.version}"
    assert bundle.manifest.files["model.quant.onnx"].startswith(digest)


def test_missing_bundle_is_named(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no readable manifest"):
        load_bundle(tmp_path / "nothing")


def test_changed_file_is_refused(copy: Path) -> None:
    (copy / "tokenizer.json").write_text("{}")

    with pytest.raises(BundleError, match=r"tokenizer\.json: its sha256 is"):
        load_bundle(copy)


def test_missing_file_is_refused(copy: Path) -> None:
    (copy / "model.quant.onnx").unlink()

    with pytest.raises(BundleError, match=r"model\.quant\.onnx: cannot be read"):
        load_bundle(copy)


def test_manifest_of_another_shape_is_refused(copy: Path) -> None:
    _rewrite(copy, surprise=1)

    with pytest.raises(BundleError, match="surprise"):
        load_bundle(copy)


def test_head_that_this_worker_cannot_decode_is_refused(copy: Path) -> None:
    _rewrite(copy, labels={"sentiment": ["bad", "middling", "good"], "ner": ["O"] * 9, "qa": ["start", "end"]})

    with pytest.raises(BundleError, match="sentiment has 3 labels"):
        load_bundle(copy)
