"""Fetches a bundle from MLflow's model registry: `python -m worker.fetch URI CACHE`, run by `worker.registry`.

Prints the version as one JSON object and exits with 0; or the code and detail of what went wrong, and exits with 1.
"""

import json
import os
import re
import shutil
import sys
from dataclasses import asdict
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

from schemas.errors import BundleError, RegistryUnavailable, ServiceError
from schemas.manifest import MANIFEST_FILE, QUANTIZED_MODEL_FILE, TOKENIZER_FILE
from worker.bundle import load_bundle
from worker.registry import BUNDLE_PATH, DIGEST_TAG, MODEL_URI, Version

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

FILES = (MANIFEST_FILE, QUANTIZED_MODEL_FILE, TOKENIZER_FILE)
"""What the worker needs of a bundle."""

_CLIENTS_FAULT = range(400, 500)
_TOO_MANY_REQUESTS = 429


def fetch(uri: str, cache: Path) -> Version:
    """Return the version that a `models:/` URI names, its files in the cache; raises `ServiceError`."""
    from mlflow.exceptions import MlflowException  # here, so that whoever imports the package's modules is spared it
    from requests import RequestException

    try:
        version = _resolve(uri)
        if not _is_kept(version, cache):
            _check_files(uri, version)
            _download(version, cache)
    except MlflowException as fault:
        raise _judged(uri, str(fault), fault.get_http_status_code()) from fault  # type: ignore[no-untyped-call]
    except RequestException as fault:
        raise _judged(uri, str(fault), 500 if fault.response is None else fault.response.status_code) from fault
    except OSError as fault:
        raise BundleError(f"{uri}: cannot be kept in {cache}: {fault}") from fault
    return version


def _resolve(uri: str) -> Version:
    found = _model_version(uri)
    digest = found.tags.get(DIGEST_TAG)
    if digest is None:
        raise BundleError(
            f"{uri}: version {found.version} has no tag {DIGEST_TAG}: it was not registered by this product"
        )
    if not re.fullmatch("[0-9a-f]{64}", digest):  # it becomes part of a path
        raise BundleError(f"{uri}: the tag {DIGEST_TAG} of version {found.version} is no sha256")
    return Version(found.name, str(found.version), digest)


def _model_version(uri: str) -> "ModelVersion":
    from mlflow import MlflowClient

    named = re.fullmatch(MODEL_URI, uri)
    if named is None:
        raise BundleError(f"{uri}: neither models:/<name>@<alias> nor models:/<name>/<version>")
    if named["alias"]:
        return MlflowClient().get_model_version_by_alias(named["name"], named["alias"])
    return MlflowClient().get_model_version(named["name"], named["version"])


def _is_kept(version: Version, cache: Path) -> bool:
    """Return whether the cache has the version, whole; what was damaged on the disk is fetched anew."""
    try:
        load_bundle(version.directory(cache), version.digest)
    except BundleError:
        return False
    return True


def _check_files(uri: str, version: Version) -> None:
    """Name what the version lacks: a download that fails does not tell a missing file from a missing server."""
    from mlflow.artifacts import list_artifacts

    found = {Path(each.path).name for each in list_artifacts(f"{version.uri}/{BUNDLE_PATH}")}
    if missing := [name for name in FILES if name not in found]:
        raise BundleError(f"{uri}: version {version.version} has no {', '.join(missing)} in {BUNDLE_PATH}")


def _download(version: Version, cache: Path) -> None:
    """Put the version's files into the cache, all of them or none, and only when their sums are right."""
    from mlflow.artifacts import download_artifacts

    directory = version.directory(cache)
    cache.mkdir(parents=True, exist_ok=True)
    fresh = Path(mkdtemp(dir=cache, prefix="."))
    try:
        for name in FILES:
            download_artifacts(f"{version.uri}/{BUNDLE_PATH}/{name}", dst_path=str(fresh))
        bundle = fresh / BUNDLE_PATH
        load_bundle(bundle, version.digest)
        shutil.rmtree(directory, ignore_errors=True)
        os.replace(bundle, directory)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _judged(uri: str, complaint: str, status: int) -> ServiceError:
    """Return what a refused request means: asking for what is not there, or a registry that does not work."""
    line = " ".join(complaint.split())
    if status in _CLIENTS_FAULT and status != _TOO_MANY_REQUESTS:
        return BundleError(f"{uri}: {line}")
    return RegistryUnavailable(line)


def main(arguments: list[str]) -> int:
    """Return the exit status."""
    uri, cache = arguments
    try:
        version = fetch(uri, Path(cache))
    except ServiceError as fault:
        print(json.dumps({"code": fault.code, "detail": fault.detail}))
        return 1
    print(json.dumps(asdict(version)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
