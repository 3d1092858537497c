"""The manifests as a cluster would get them, and what is in them."""

import subprocess
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import yaml

BASE = "base"
PRODUCTION = "overlays/production"
KUBERNETES = Path("deploy/kubernetes")

Resource: TypeAlias = dict[str, Any]


@cache
def rendered(directory: str) -> tuple[Resource, ...]:
    """Return all resources of a kustomization below deploy/kubernetes."""
    kubectl = Path(sys.executable).with_name("kubectl")
    done = subprocess.run(
        [kubectl, "kustomize", KUBERNETES / directory], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr
    return tuple(yaml.safe_load_all(done.stdout))


def of_kind(directory: str, *kinds: str) -> list[Resource]:
    """Return the resources of some kinds."""
    return [resource for resource in rendered(directory) if resource["kind"] in kinds]


def named(directory: str, kind: str, name: str) -> Resource:
    """Return one resource; a generated name may end in a hash."""
    (found,) = [each for each in of_kind(directory, kind) if each["metadata"]["name"].startswith(name)]
    return found


def workloads(directory: str) -> list[Resource]:
    """Return all that runs pods."""
    return of_kind(directory, "Deployment", "Job")


def pod_of(workload: Resource) -> Resource:
    """Return a workload's pod."""
    pod: Resource = workload["spec"]["template"]["spec"]
    return pod


def container_of(workload: Resource) -> Resource:
    """Return the one container of a workload."""
    (container,) = pod_of(workload)["containers"]
    return dict(container)


def environment_of(directory: str, workload: Resource) -> dict[str, str | None]:
    """Return what a container is told; None for what comes from a secret."""
    container = container_of(workload)
    told: dict[str, str | None] = {}
    for source in container.get("envFrom", []):
        told |= named(directory, "ConfigMap", source["configMapRef"]["name"])["data"]
    return told | {each["name"]: each.get("value") for each in container.get("env", [])}


def selects(selector: Resource, labels: dict[str, str]) -> bool:
    """Whether a label selector fits."""
    wanted = selector.get("matchLabels", selector if "matchExpressions" not in selector else {})
    expressions: Iterable[Resource] = selector.get("matchExpressions", [])
    return wanted.items() <= labels.items() and all(
        each["operator"] == "In" and labels.get(each["key"]) in each["values"] for each in expressions
    )
