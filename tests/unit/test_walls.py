"""The walls between the packages: what each may import, seen in a fresh interpreter."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OURS = ("schemas", "telemetry", "worker", "gateway", "training", "deadletters", "local", "benchmarks", "tests")
MAY_IMPORT = {
    "schemas": {"schemas"},
    "telemetry": {"schemas", "telemetry"},
    "worker": {"schemas", "telemetry", "worker"},
    "gateway": {"schemas", "telemetry", "gateway"},
    "local": {"schemas", "local"},
    "deadletters": {"schemas", "deadletters"},
}
NEVER = {
    "schemas": {"faust", "onnxruntime", "tokenizers", "torch", "fastapi"},
    "telemetry": {"faust", "onnxruntime", "tokenizers", "torch", "fastapi"},
    "worker": {"torch", "transformers", "datasets", "fastapi", "uvicorn", "mlflow"},
    "gateway": {"onnxruntime", "faust", "tokenizers", "torch", "transformers"},
    "local": {"onnxruntime", "faust", "torch", "transformers"},
    # rich too: the command runs where only production's packages are.
    "deadletters": {"onnxruntime", "faust", "tokenizers", "torch", "fastapi", "rich"},
}
TRAINING_MAY_IMPORT = {"schemas", "worker", "training"}
KNOW_FAUST = {"agents.py", "app.py", "consumer.py", "health.py"}

_LIST_IMPORTED = """
import importlib, pkgutil, sys
package = importlib.import_module(sys.argv[1])
for module in pkgutil.walk_packages(package.__path__, sys.argv[1] + "."):
    if not module.name.endswith(".tether"):
        importlib.import_module(module.name)
print(*{name.partition(".")[0] for name in sys.modules})
"""


@pytest.fixture(scope="module", params=MAY_IMPORT)
def imported(request: pytest.FixtureRequest) -> tuple[str, set[str]]:
    """A package, and the top-level packages that importing all its modules brings along."""
    answer = subprocess.run(
        [sys.executable, "-c", _LIST_IMPORTED, request.param], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return request.param, set(answer.stdout.split())


def test_package_imports_only_those_of_ours_that_it_may(imported: tuple[str, set[str]]) -> None:
    package, found = imported

    assert found & set(OURS) <= MAY_IMPORT[package]


def test_package_never_imports_what_it_must_not(imported: tuple[str, set[str]]) -> None:
    package, found = imported

    assert not found & NEVER[package]


def test_a_package_is_seen_at_all(imported: tuple[str, set[str]]) -> None:
    package, found = imported

    assert package in found


def test_training_imports_only_those_of_ours_that_it_may() -> None:
    # Read, not run: what it imports of others takes long to load, and brings half the world along.
    found = {name for path in (ROOT / "training").rglob("*.py") for name in _imports(path)}

    assert "worker" in found
    assert found & set(OURS) <= TRAINING_MAY_IMPORT


def test_only_few_modules_know_faust() -> None:
    knowing = {path.name for path in (ROOT / "worker").rglob("*.py") if "faust" in _imports(path)}

    assert knowing <= KNOW_FAUST
    assert "agents.py" in knowing


def _imports(path: Path) -> set[str]:
    """Return the top-level packages that a file imports, wherever in it."""
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.append(node.module)
    return {name.partition(".")[0] for name in names}
