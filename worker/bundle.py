"""The model bundle as the worker finds it: a directory, checked before anything is loaded from it."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pydantic import ValidationError

from schemas.errors import BundleError
from schemas.manifest import MANIFEST_FILE, QUANTIZED_MODEL_FILE, TOKENIZER_FILE, Manifest

HEADS = {"sentiment": 2, "ner": 9, "qa": 2}
"""Each head and its number of labels: what this worker can decode."""


@dataclass(frozen=True)
class Bundle:
    """A checked bundle: its directory and what it says of itself."""

    directory: Path
    manifest: Manifest

    @property
    def model(self) -> Path:
        """The quantized graph."""
        return self.directory / QUANTIZED_MODEL_FILE

    @property
    def tokenizer(self) -> Path:
        """The tokenizer's vocabulary and rules."""
        return self.directory / TOKENIZER_FILE

    @cached_property
    def identity(self) -> str:
        """Name, version and the head of the graph's digest: what `nlp-model` says on every output."""
        digest = self.manifest.files[QUANTIZED_MODEL_FILE]
        return f"{self.manifest.name}:{self.manifest.version}@sha256:{digest[:16]}"


def load_bundle(directory: Path, digest: str | None = None) -> Bundle:
    """Return the bundle of a directory; raises `BundleError` where it is missing, damaged or does not fit.

    `digest`: the sha256 that its manifest must have, where somebody else has told it.
    """
    path = directory / MANIFEST_FILE
    try:
        described = path.read_bytes()
    except OSError as missing:
        raise BundleError(f"{directory}: no readable {MANIFEST_FILE} ({missing.strerror})") from missing
    if digest is not None and (found := hashlib.sha256(described).hexdigest()) != digest:
        raise BundleError(f"{path}: its sha256 is {found}, the registry says {digest}")
    manifest = _read_manifest(path, described)
    _check_heads(manifest)
    for name in (QUANTIZED_MODEL_FILE, TOKENIZER_FILE):
        _check_digest(directory / name, manifest.files.get(name))
    return Bundle(directory, manifest)


def _read_manifest(path: Path, described: bytes) -> Manifest:
    try:
        return Manifest.model_validate_json(described)
    except ValidationError as invalid:
        wrong = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in invalid.errors())
        raise BundleError(f"{path} is none that this worker reads: {wrong}") from invalid


def _check_heads(manifest: Manifest) -> None:
    for head, count in HEADS.items():
        labels = manifest.labels.get(head, [])
        if len(labels) != count:
            raise BundleError(f"{manifest.name}: head {head} has {len(labels)} labels, this worker decodes {count}")
        if head not in manifest.outputs:
            raise BundleError(f"{manifest.name}: head {head} has no output in the graph")


def _check_digest(path: Path, expected: str | None) -> None:
    if expected is None:
        raise BundleError(f"{path}: the manifest gives no sha256")
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as missing:
        raise BundleError(f"{path}: cannot be read ({missing.strerror})") from missing
    if found != expected:
        raise BundleError(f"{path}: its sha256 is {found}, the manifest says {expected}")
