"""Schemas of the custom resources that our manifests use, as their own projects publish them.

They lie in `crds/`, without their descriptions, and come from the projects' Go modules, whose sums stand below:
`python -m tests.unit.deploy.custom_resources` fetches them anew. Both projects are under the Apache License 2.0.
"""

import hashlib
import io
import json
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

SCHEMAS = Path(__file__).with_name("crds")


@dataclass(frozen=True, slots=True)
class Module:
    """A project's sources at one version, and where in them its resources are defined."""

    name: str
    version: str
    sha256: str
    directory: str
    kinds: tuple[str, ...]


MODULES = (
    Module(
        "github.com/kedacore/keda/v2",
        "v2.21.0",
        "74b59fe16144250748b716d6dc8789dee52d26164daab732145bed60456013a4",
        "config/crd/bases",
        ("keda.sh_scaledobjects", "keda.sh_triggerauthentications"),
    ),
    Module(
        "github.com/prometheus-operator/prometheus-operator",
        "v0.85.0",
        "0bdb88ed823d0f2e86cf909638439b6ad1da744a228172c7411d9987527dc5d1",
        "example/prometheus-operator-crd",
        (
            "monitoring.coreos.com_podmonitors",
            "monitoring.coreos.com_prometheusrules",
            "monitoring.coreos.com_servicemonitors",
        ),
    ),
)


def problems(resource: dict[str, Any]) -> list[str]:
    """Return what is wrong with a custom resource; raises `FileNotFoundError` for a kind that we have no schema of."""
    group, _, version = resource["apiVersion"].partition("/")
    path = SCHEMAS / f"{group}_{version}_{resource['kind']}.json"
    schema = _closed(json.loads(path.read_text()))
    schema["properties"]["metadata"] = {"type": "object"}
    return [f"{error.json_path}: {error.message}" for error in Draft202012Validator(schema).iter_errors(resource)]


def _closed(schema: Any) -> Any:
    """Forbid what a schema does not name: the API server would drop it, and say nothing."""
    if isinstance(schema, list):
        return [_closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: _closed(each) for name, each in schema.items()}
    if "properties" in closed and not closed.get("x-kubernetes-preserve-unknown-fields"):
        closed.setdefault("additionalProperties", False)
    return closed


def _bare(schema: Any) -> Any:
    """Return a schema without its prose, which is most of it."""
    if isinstance(schema, list):
        return [_bare(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    # A property may be called "description" itself: then it is no text.
    return {
        name: _bare(each)
        for name, each in schema.items()
        if not (name == "description" and isinstance(each, str)) and not name.startswith("x-kubernetes-val")
    }


def _download(module: Module) -> Path:
    """Return the module's zip file as Go keeps it, fetched from wherever Go is told to fetch from."""
    command = [str(Path(sys.executable).with_name("go")), "mod", "download", "-json", f"{module.name}@{module.version}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    return Path(json.loads(done.stdout)["Zip"])


def fetch(module: Module) -> None:
    """Write the schemas of a module's kinds."""
    content = _download(module).read_bytes()
    if (found := hashlib.sha256(content).hexdigest()) != module.sha256:
        raise SystemExit(f"{module.name} {module.version}: its sha256 is {found}")
    sources = zipfile.ZipFile(io.BytesIO(content))
    for kind in module.kinds:
        text = sources.read(f"{module.name}@{module.version}/{module.directory}/{kind}.yaml")
        definition = yaml.safe_load(text)["spec"]
        for version in definition["versions"]:
            name = f"{definition['group']}_{version['name']}_{definition['names']['kind']}.json"
            schema = _bare(version["schema"]["openAPIV3Schema"])
            (SCHEMAS / name).write_text(json.dumps(schema, separators=(",", ":"), sort_keys=True) + "\n")


if __name__ == "__main__":
    for each in MODULES:
        fetch(each)
