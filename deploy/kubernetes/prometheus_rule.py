"""Writes the cluster's rules from Prometheus' own, the only source: `python -m deploy.kubernetes.prometheus_rule`."""

from pathlib import Path

import yaml

MANIFEST = Path(__file__).parent / "components/monitoring/prometheus-rule.yaml"
RULES = Path(__file__).parents[1] / "prometheus/rules"

_HEAD = "# Made from deploy/prometheus/rules by `make manifests`; change them there.\n"


def render() -> str:
    """Return the manifest as it lies in the file."""
    files = sorted(RULES.glob("*.yml"))
    manifest = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "nlp"},
        "spec": {"groups": [group for file in files for group in yaml.safe_load(file.read_text())["groups"]]},
    }
    return _HEAD + yaml.safe_dump(manifest, sort_keys=False, width=120, allow_unicode=True)


if __name__ == "__main__":
    MANIFEST.write_text(render())
    print(MANIFEST)
