"""Grafana gets a dashboard that its own types know, and finds the data that it draws."""

import itertools
import json
from pathlib import Path
from typing import Any

import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.grafana.dashboard import DASHBOARD, render

PROVISIONING = Path("deploy/grafana/provisioning")
COMPOSE = yaml.safe_load(Path("docker-compose.yml").read_text())["services"]
PROMETHEUS = yaml.safe_load(Path("deploy/prometheus/prometheus.yml").read_text())
STAGES = (
    "1 · Consume and decode",
    "2 · Tokenise and cut into windows",
    "3 · Wait and batch",
    "4 · Encoder",
    "5 · Decode the heads",
    "6 · Deliver",
    "7 · Commit and progress",
    "Gateway",
    "Kafka",
)


def _dashboard() -> dict[str, Any]:
    return dict(json.loads(DASHBOARD.read_text()))


def _mounts(service: str) -> dict[str, str]:
    """Return what a container sees where, of the files of this repository."""
    volumes = [volume.split(":") for volume in COMPOSE[service]["volumes"]]
    return {target: source for source, target, *_ in volumes if source.startswith("./")}


def test_the_file_is_what_the_code_makes() -> None:
    assert DASHBOARD.read_text() == render(), "run `make manifests`"


def test_grafanas_own_types_know_every_field() -> None:
    read = Dashboard.from_json(_dashboard())

    assert json.loads(json.dumps(read, cls=JSONEncoder)) == _dashboard()


def test_a_field_that_grafana_does_not_know_is_found() -> None:
    wrong = _dashboard()
    wrong["panels"][1]["fieldConfig"]["defaults"]["units"] = "s"

    assert json.loads(json.dumps(Dashboard.from_json(wrong), cls=JSONEncoder)) != wrong


def test_there_is_a_row_for_each_stage_with_panels_below() -> None:
    kinds = [(panel["type"], panel["title"]) for panel in _dashboard()["panels"]]
    rows = [title for kind, title in kinds if kind == "row"]

    assert [title for title in rows if title in STAGES] == list(STAGES)
    for (kind, title), (below, _) in itertools.pairwise([*kinds, ("row", "the end")]):
        assert not (kind == below == "row"), f"{title} is empty"


def test_panels_lie_side_by_side_and_have_numbers_of_their_own() -> None:
    panels = _dashboard()["panels"]
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]

    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len(set(cells)) == len(cells), "two panels overlap"
    assert max(x for x, _ in cells) < 24


def test_every_panel_says_what_it_shows_in_a_unit_that_grafana_knows() -> None:
    known = {value for name, value in vars(units).items() if isinstance(value, str) and not name.startswith("_")}
    for panel in _dashboard()["panels"]:
        if panel["type"] != "row":
            assert panel["description"], panel["title"]
            assert panel["fieldConfig"]["defaults"]["unit"] in known, panel["title"]
            assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


def test_the_dashboard_asks_the_source_that_is_provisioned() -> None:
    (source,) = yaml.safe_load((PROVISIONING / "datasources/prometheus.yml").read_text())["datasources"]
    variables = {variable["name"]: variable for variable in _dashboard()["templating"]["list"]}
    host, _, port = source["url"].removeprefix("http://").partition(":")

    assert variables["datasource"]["query"] == source["type"]
    assert host in COMPOSE
    assert COMPOSE[host]["ports"][0].rpartition(":")[2] == port
    assert source["jsonData"]["timeInterval"] == PROMETHEUS["global"]["scrape_interval"]


def test_files_lie_where_grafana_and_prometheus_look_for_them() -> None:
    (provider,) = yaml.safe_load((PROVISIONING / "dashboards/nlp.yml").read_text())["providers"]
    of_grafana, of_prometheus = _mounts("grafana"), _mounts("prometheus")

    assert Path(of_grafana[provider["options"]["path"]]) == DASHBOARD.parent.relative_to(Path.cwd())
    assert Path(of_grafana["/etc/grafana/provisioning"]) == PROVISIONING
    assert Path(of_prometheus["/etc/prometheus/prometheus.yml"]) == Path("deploy/prometheus/prometheus.yml")
    assert Path(of_prometheus["/etc/prometheus/rules"]) == Path("deploy/prometheus/rules")
    assert PROMETHEUS["rule_files"] == ["rules/*.yml"]


def test_prometheus_looks_for_services_that_are_there_at_their_ports() -> None:
    dockerfile = Path("Dockerfile").read_text()
    found = {
        job["job_name"]: job["dns_sd_configs"][0] for job in PROMETHEUS["scrape_configs"] if "dns_sd_configs" in job
    }

    assert found.keys() == {"worker", "gateway"}
    for job, discovery in found.items():
        assert discovery["names"] == [job]
        assert job in COMPOSE
        assert f"EXPOSE {discovery['port']}" in dockerfile
