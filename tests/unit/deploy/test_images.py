"""Dockerfile and requirements: what each image holds, who it runs as and how it ends, without an engine to build it."""

import ast
import json
import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

TARGETS = {"worker": {"worker", "deadletters"}, "gateway": {"gateway"}, "training": {"training"}, "mlflow": set[str]()}
"""Each image and those of our packages that are run in it."""
OURS = {path.parent.name for path in Path().glob("*/__init__.py")}
PINS = {
    "worker": ("requirements.txt", "requirements-tracing.txt"),
    "gateway": ("requirements-gateway.txt", "requirements-tracing.txt"),
}
NEVER = {
    "worker": {"torch", "transformers", "datasets", "mlflow"},
    "gateway": {"torch", "transformers", "onnxruntime", "tokenizers", "faust-streaming", "numpy", "mlflow-skinny"},
}

each_target = pytest.mark.parametrize("target", TARGETS)


def stages() -> dict[str, list[str]]:
    """Return the instructions of each stage of the Dockerfile, in one line each."""
    text = re.sub(r"^#.*\n", "", Path("Dockerfile").read_text(), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    found: dict[str, list[str]] = {}
    for line in filter(None, lines):
        if line.startswith("FROM"):
            found[line.split()[-1]] = []
        elif found:
            found[list(found)[-1]].append(line)
    return found


def pins(*files: str) -> dict[str, str]:
    """Return the names and versions that requirements files pin."""
    lines = [line for file in files for line in Path(file).read_text().splitlines()]
    return dict(re.findall(r"^([a-z0-9.-]+)==(\S+)", "\n".join(lines), re.MULTILINE))


def normal(distribution: str) -> str:
    """Return a distribution's name as requirements files write it."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


def imported(package: str) -> set[str]:
    """Return the top-level packages that the files of one of ours import, wherever in them."""
    names: list[str] = []
    for path in Path(package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.append(node.module)
    return {name.partition(".")[0] for name in names}


def needed(packages: set[str]) -> set[str]:
    """Return these packages of ours and all of ours that they import."""
    found: set[str] = set()
    while left := packages - found:
        found |= left
        packages = packages | {name for package in left for name in imported(package) & OURS}
    return found


@each_target
def test_a_process_runs_as_nobody_in_particular_and_alone(target: str) -> None:
    stage = stages()[target]

    assert [line for line in stage if line.startswith("USER")] == ["USER 10001:10001"]
    assert "STOPSIGNAL SIGTERM" in stage
    (command,) = [line for line in stage if line.startswith("CMD")]
    # The exec form: a shell in between would keep the signal to itself.
    assert json.loads(command.removeprefix("CMD "))[0] in ("python", "mlflow")
    assert not any(line.startswith("ENTRYPOINT") for line in stage)


@pytest.mark.parametrize("target", sorted(TARGETS.keys() - {"training"}))
def test_a_server_says_whether_it_is_healthy(target: str) -> None:
    stage = stages()[target]
    (check,) = [line for line in stage if line.startswith("HEALTHCHECK")]

    command = json.loads(check.partition("CMD ")[2])
    assert command[:3] == ["python", "-IS", "/app/healthcheck.py"]
    assert f"EXPOSE {command[3]}" in stage


@each_target
def test_an_image_has_our_packages_that_it_needs_and_no_others(target: str) -> None:
    copied = set(re.findall(r"^COPY --from=code /app/(\w+) \1$", "\n".join(stages()[target]), re.MULTILINE))

    assert copied == needed(TARGETS[target])


def test_the_code_is_compiled_from_all_that_is_copied() -> None:
    copied = set(re.findall(r"^COPY (\w+) \1$", "\n".join(stages()["code"]), re.MULTILINE))

    assert copied == needed(set().union(*TARGETS.values()))


@pytest.mark.parametrize("target", PINS)
def test_an_image_pins_every_package_that_its_code_imports(target: str) -> None:
    installed = packages_distributions()
    outside = {name for package in needed(TARGETS[target]) for name in imported(package)} - OURS
    pinned = pins(*PINS[target])

    # A namespace is shared by several distributions: one of them is enough here.
    providers = {name: {normal(each) for each in installed[name]} for name in outside - sys.stdlib_module_names}
    assert len(providers) > 5
    assert {name for name, those in providers.items() if not those & pinned.keys()} == set()


@pytest.mark.parametrize("target", PINS)
def test_an_image_holds_no_package_that_it_must_not(target: str) -> None:
    assert not pins(*PINS[target]).keys() & NEVER[target]


@pytest.mark.parametrize("file", ["requirements-gateway.txt", "requirements-tracing.txt", "requirements-mlflow.txt"])
def test_images_agree_on_versions_with_what_is_tested(file: str) -> None:
    tested = pins("requirements-dev.txt")

    assert pins(file)
    assert {name: tested[name] for name in pins(file)} == pins(file)


def test_mlflow_server_and_client_are_of_one_version() -> None:
    assert pins("requirements-mlflow.txt")["mlflow"] == pins("requirements.txt")["mlflow-skinny"]


def test_the_base_is_pinned_to_a_patch_and_named() -> None:
    (base,) = re.findall(r"^ARG PYTHON=(.*)$", Path("Dockerfile").read_text(), re.MULTILINE)
    named = re.findall(r"image\.base\.name=docker\.io/library/(\S+)", Path("Dockerfile").read_text())

    assert re.fullmatch(r"python:3\.11\.\d+-slim-bookworm", base)
    assert named == [base] * len(TARGETS)


@each_target
def test_an_image_says_what_it_is(target: str) -> None:
    (labels,) = [line for line in stages()[target] if line.startswith("LABEL")]

    for label in ("title", "description", "version", "revision", "created", "base.name"):
        assert f"org.opencontainers.image.{label}=" in labels


def test_the_worker_has_the_bundle_without_the_weights() -> None:
    (bundle,) = [line for line in stages()["worker"] if line.startswith("COPY --from=models")]

    assert "/app/${BUNDLE}/model.quant.onnx" in bundle
    assert "safetensors" not in bundle
    assert not any("models" in line for line in stages()["gateway"])


def test_nothing_enters_an_image_that_is_not_named() -> None:
    rules = [line for line in Path(".dockerignore").read_text().splitlines() if line and not line.startswith("#")]

    assert rules[0] == "*"
    assert {"**/__pycache__", "**/*.pyc", "models/*/model.onnx"} < set(rules)
    allowed = {rule.removeprefix("!") for rule in rules if rule.startswith("!")}
    assert allowed == needed({"worker", "gateway", "training", "deadletters"}) | {
        "models",
        "requirements*.txt",
        "deploy/healthcheck.py",
    }
