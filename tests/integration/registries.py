"""A real MLflow server on a database, bundles put into its registry, and what of them can be spoilt."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import mlflow
from mlflow import MlflowClient

from local import process
from local.ports import free_port
from schemas.manifest import MANIFEST_FILE
from worker.registry import BUNDLE_PATH, DIGEST_TAG

_STOP_S = 10.0


class MlflowServer:
    """One `mlflow server` with a SQLite database and artifacts of its own, which it serves itself."""

    def __init__(self, directory: Path) -> None:
        self.port = free_port()
        self.uri = f"http://127.0.0.1:{self.port}"
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, without waiting."""
        options = {
            "--backend-store-uri": f"sqlite:///{self._directory}/mlflow.db",
            "--artifacts-destination": str(self._directory / "artifacts"),
            "--host": "127.0.0.1",
            "--port": str(self.port),
            "--workers": "1",
        }
        quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        with (self._directory / "server.log").open("ab") as output:
            self._process = process.start(
                [sys.executable, "-m", "mlflow", "server", *(word for option in options.items() for word in option)],
                output=output,
                environment={**os.environ, **quiet},
            )

    async def answers(self) -> bool:
        """Whether it is up; fails when it has ended."""
        assert self._process is not None
        assert self._process.poll() is None, (self._directory / "server.log").read_text()
        async with httpx.AsyncClient(base_url=self.uri) as client:
            try:
                return (await client.get("/health")).status_code == 200
            except httpx.TransportError:
                return False

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            process.stop(self._process, within_s=_STOP_S)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Let it take connections and answer nothing."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(self._process.pid, signal.SIGCONT)

    def stored(self, pattern: str) -> list[Path]:
        """Return the files that it keeps of artifacts, by a pattern of their path."""
        return sorted((self._directory / "artifacts").glob(f"**/{pattern}"))


def publish(name: str, bundle: Path, *, tags: Mapping[str, str] | None = None) -> str:
    """Make a version of a bundle's files as they are, whole or not, and return its number.

    Tagged with the digest of its manifest unless `tags` says otherwise.
    """
    client = MlflowClient()
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name)
    mlflow.set_experiment("published")
    with mlflow.start_run() as run:
        mlflow.log_artifacts(str(bundle), f"model/{BUNDLE_PATH}")
    source = f"{run.info.artifact_uri}/model"
    digest = hashlib.sha256((bundle / MANIFEST_FILE).read_bytes()).hexdigest()
    told = {DIGEST_TAG: digest} if tags is None else dict(tags)
    return str(client.create_model_version(name, source, run.info.run_id, tags=told).version)


def describe(bundle: Path, **changes: Any) -> None:
    """Change what a bundle's manifest says."""
    path = bundle / MANIFEST_FILE
    path.write_text(json.dumps(json.loads(path.read_bytes()) | changes))


def fresh_name() -> str:
    """Return the name of a model that nobody has registered."""
    return f"model-{uuid.uuid4().hex[:8]}"
