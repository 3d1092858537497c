"""The manifests are what a cluster takes, and say of our processes what is true."""

import copy
import re
from pathlib import Path
from typing import Any

import certifi
import httpx
import kubernetes_validate
import pytest
from prometheus_client import CollectorRegistry
from pydantic_settings import BaseSettings

import gateway.settings
import worker.settings
from deploy.kubernetes import prometheus_rule
from schemas import KafkaConnection, Limits, Topics
from schemas.headers import ReplyHeaderNames
from tests.gateway_fixtures import FakeLink, app_with, client_of
from tests.unit.deploy import custom_resources
from tests.unit.deploy.manifests import (
    BASE,
    PRODUCTION,
    Resource,
    container_of,
    environment_of,
    named,
    of_kind,
    pod_of,
    rendered,
    selects,
    workloads,
)
from worker.app import PRODUCER_STOP_S, STOP_MARGIN_S
from worker.http import serve_http

KUBERNETES = ("1.30", kubernetes_validate.latest_version())
"""The oldest that knows all that we use, and the newest."""
OVERLAYS = (BASE, PRODUCTION)
SETTINGS: dict[str, tuple[type[BaseSettings], ...]] = {
    "worker": (KafkaConnection, Topics, Limits, ReplyHeaderNames, worker.settings.Settings),
    "gateway": (KafkaConnection, Topics, Limits, ReplyHeaderNames, gateway.settings.Settings),
    "topics": (KafkaConnection, Topics),
}
MOUNTED = "/etc/nlp/"

every_overlay = pytest.mark.parametrize("overlay", OVERLAYS)
every_workload = pytest.mark.parametrize(
    ("overlay", "name"), [(overlay, name) for overlay in OVERLAYS for name in SETTINGS]
)


def _workload(overlay: str, name: str) -> Resource:
    (found,) = [each for each in workloads(overlay) if each["metadata"]["name"] == f"nlp-{name}"]
    return found


def _problems(resource: Resource, version: str) -> list[str]:
    if "." in resource["apiVersion"].partition("/")[0] and not resource["apiVersion"].startswith("networking.k8s.io/"):
        return custom_resources.problems(resource)
    try:
        kubernetes_validate.validate(resource, version, strict=True)
    except kubernetes_validate.ValidationError as invalid:
        return [invalid.message]
    return []


@every_overlay
@pytest.mark.parametrize("version", KUBERNETES)
def test_a_cluster_knows_every_resource_and_all_its_fields(overlay: str, version: str) -> None:
    for resource in rendered(overlay):
        assert not _problems(resource, version), f"{resource['kind']} {resource['metadata']['name']}"


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("Deployment", ("spec", "template", "spec", "terminationGracePeriod"), 45),
        ("Deployment", ("spec", "template", "spec", "containers", 0, "readinessProbe", "httpGet", "port"), None),
        ("PodDisruptionBudget", ("spec", "maxUnavailable"), []),
        ("NetworkPolicy", ("spec", "egres"), []),
        ("ScaledObject", ("spec", "maxReplicas"), 6),
        ("ScaledObject", ("spec", "maxReplicaCount"), "6"),
        ("TriggerAuthentication", ("spec", "secretTargetRef", 0, "key"), 1),
        ("PodMonitor", ("spec", "podMetricsEndpoints", 0, "scrapeInterval"), "15s"),
        ("ServiceMonitor", ("spec", "endpoints", 0, "interval"), "soon"),
        ("PrometheusRule", ("spec", "groups", 0, "rules", 0, "expression"), "1"),
    ],
)
def test_a_wrong_field_is_found(kind: str, path: tuple[str | int, ...], value: object) -> None:
    resource: Any = copy.deepcopy(of_kind(PRODUCTION, kind)[0])
    spot = resource
    for step in path[:-1]:
        spot = spot[step]
    spot[path[-1]] = value

    assert _problems(resource, KUBERNETES[-1])


@every_workload
def test_every_variable_is_a_setting_of_the_process_that_gets_it(overlay: str, name: str) -> None:
    known = {
        f"{settings.model_config.get('env_prefix', '')}{field}".upper()
        for settings in SETTINGS[name]
        for field in settings.model_fields
    }

    assert environment_of(overlay, _workload(overlay, name)).keys() <= known


@every_workload
def test_every_value_is_one_that_the_process_takes(overlay: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Stands for every mounted file: the one of them that is looked into holds certificates.
    mounted = certifi.where()
    for variable, value in environment_of(overlay, _workload(overlay, name)).items():
        secret = value is None or value.startswith(MOUNTED)
        monkeypatch.setenv(variable, mounted if secret else str(value))

    for settings in SETTINGS[name]:
        settings()


@every_workload
def test_every_file_that_is_named_is_mounted(overlay: str, name: str) -> None:
    container = container_of(_workload(overlay, name))
    volumes = {volume["name"] for volume in pod_of(_workload(overlay, name))["volumes"]}
    mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}

    assert set(mounts.values()) == volumes
    for value in environment_of(overlay, _workload(overlay, name)).values():
        assert value is None or not value.startswith("/") or str(Path(value).parent) in mounts


@every_workload
def test_every_process_runs_as_nobody_and_writes_nothing(overlay: str, name: str) -> None:
    pod = pod_of(_workload(overlay, name))
    container = container_of(_workload(overlay, name))
    (user,) = set(re.findall(r"^USER (\d+):\d+$", Path("Dockerfile").read_text(), re.MULTILINE))

    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == int(user)
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["resources"]["requests"].keys() == container["resources"]["limits"].keys() == {"cpu", "memory"}


@every_overlay
def test_autoscaling_ends_at_the_partition_count(overlay: str) -> None:
    partitions = Topics.model_fields["partitions"].default

    assert named(overlay, "ConfigMap", "nlp-settings")["data"]["NLP_TOPIC_PARTITIONS"] == str(partitions)
    for scaled in of_kind(overlay, "ScaledObject"):
        assert scaled["spec"]["maxReplicaCount"] == partitions
        assert 1 <= scaled["spec"]["minReplicaCount"] <= partitions


def test_autoscaling_asks_for_the_lag_of_the_worker_that_it_scales() -> None:
    (scaled,) = of_kind(PRODUCTION, "ScaledObject")
    target = named(PRODUCTION, "Deployment", scaled["spec"]["scaleTargetRef"]["name"])
    (trigger,) = scaled["spec"]["triggers"]
    told = environment_of(PRODUCTION, target)

    assert scaled["spec"]["scaleTargetRef"]["envSourceContainerName"] == container_of(target)["name"]
    assert {value for name, value in trigger["metadata"].items() if name.endswith("FromEnv")} <= told.keys()
    assert trigger["metadata"]["tls"] == "enable"
    assert trigger["metadata"]["sasl"] == str(told["KAFKA_SASL_MECHANISM"]).lower().replace("-", "_").replace(
        "sha_512", "sha512"
    )
    assert named(PRODUCTION, "TriggerAuthentication", trigger["authenticationRef"]["name"])


@every_overlay
def test_a_worker_has_the_time_to_finish_and_leave(overlay: str) -> None:
    workload = _workload(overlay, "worker")
    drain_s = float(environment_of(overlay, workload)["NLP_WORKER_DRAIN_S"] or "nan")

    assert pod_of(workload)["terminationGracePeriodSeconds"] > drain_s + STOP_MARGIN_S + 2 * PRODUCER_STOP_S


@every_overlay
def test_a_gateway_has_the_time_to_answer_and_close(overlay: str) -> None:
    workload = _workload(overlay, "gateway")
    told = environment_of(overlay, workload)
    pause_s = container_of(workload)["lifecycle"]["preStop"]["sleep"]["seconds"]
    shutdown_s = float(told["NLP_GATEWAY_SHUTDOWN_S"] or "nan")

    assert float(told["NLP_GATEWAY_TIMEOUT_S"] or "nan") < shutdown_s
    assert pod_of(workload)["terminationGracePeriodSeconds"] > pause_s + shutdown_s


@pytest.mark.parametrize(
    ("name", "port"),
    [
        ("worker", worker.settings.Settings.model_fields["http_port"].default),
        ("gateway", gateway.settings.Settings.model_fields["port"].default),
    ],
)
def test_ports_are_those_that_the_processes_listen_on(name: str, port: int) -> None:
    (declared,) = container_of(_workload(BASE, name))["ports"]
    probes = [value for key, value in container_of(_workload(BASE, name)).items() if key.endswith("Probe")]

    assert declared["containerPort"] == port
    assert len(probes) == 2
    assert {probe["httpGet"]["port"] for probe in probes} == {declared["name"]}


def _asked_paths(name: str) -> set[str]:
    container = container_of(_workload(PRODUCTION, name))
    monitors = of_kind(PRODUCTION, "PodMonitor" if name == "worker" else "ServiceMonitor")
    endpoints = [each for monitor in monitors for each in _endpoints(monitor)]
    probes = [probe["httpGet"]["path"] for key, probe in container.items() if key.endswith("Probe")]
    return {*probes, *(endpoint["path"] for endpoint in endpoints)}


def _endpoints(monitor: Resource) -> list[Resource]:
    spec = monitor["spec"]
    return list(spec.get("podMetricsEndpoints") or spec["endpoints"])


@pytest.mark.anyio
async def test_the_worker_answers_where_it_is_asked() -> None:
    async with serve_http("127.0.0.1", 0, CollectorRegistry(), list) as port:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            answers = {path: (await client.get(path)).status_code for path in _asked_paths("worker")}

    assert answers == {"/health/live": 200, "/health/ready": 200, "/metrics": 200}


@pytest.mark.anyio
async def test_the_gateway_answers_where_it_is_asked() -> None:
    async with client_of(app_with(FakeLink())) as client:
        answers = {path: (await client.get(path)).status_code for path in _asked_paths("gateway")}

    assert answers == {"/health/live": 200, "/health/ready": 200, "/metrics": 200}


@every_overlay
def test_every_selector_finds_pods(overlay: str) -> None:
    labels = [workload["spec"]["template"]["metadata"]["labels"] for workload in workloads(overlay)]
    selectors = [
        *(each["spec"]["selector"] for each in of_kind(overlay, "PodDisruptionBudget", "PodMonitor", "Service")),
        *(each["spec"]["podSelector"] for each in of_kind(overlay, "NetworkPolicy")),
    ]

    assert selectors
    for selector in selectors:
        assert selector
        assert any(selects(selector, each) for each in labels), selector


def test_monitors_find_their_ports_and_give_the_jobs_their_names() -> None:
    (service,) = of_kind(PRODUCTION, "Service")
    (of_gateway,) = of_kind(PRODUCTION, "ServiceMonitor")
    (of_worker,) = of_kind(PRODUCTION, "PodMonitor")
    (port,) = container_of(_workload(PRODUCTION, "worker"))["ports"]
    pod = _workload(PRODUCTION, "worker")["spec"]["template"]["metadata"]

    assert selects(of_gateway["spec"]["selector"], service["metadata"]["labels"])
    assert _endpoints(of_gateway)[0]["port"] in {each["name"] for each in service["spec"]["ports"]}
    assert _endpoints(of_worker)[0]["port"] == port["name"]
    # What the rules and the dashboard say: job="worker", job="gateway".
    assert service["metadata"]["labels"][of_gateway["spec"]["jobLabel"]] == "gateway"
    assert pod["labels"][of_worker["spec"]["jobLabel"]] == "worker"


def test_images_are_targets_of_the_dockerfile_and_pinned_in_production() -> None:
    targets = set(re.findall(r"^FROM \S+ AS (\S+)$", Path("Dockerfile").read_text(), re.MULTILINE))
    for workload in workloads(PRODUCTION):
        image, _, version = container_of(workload)["image"].rpartition(":")

        assert image.rpartition("/")[2] in targets
        assert re.fullmatch(r"\d+\.\d+\.\d+", version)


def test_the_clusters_rules_are_prometheus_own() -> None:
    assert prometheus_rule.MANIFEST.read_text() == prometheus_rule.render(), "run `make manifests`"


def test_every_secret_that_is_named_is_explained() -> None:
    explained = Path("docs/operations.md").read_text()
    found = set(re.findall(r"secretKeyRef': {[^}]*'name': '([^']+)'|secretName': '([^']+)'", str(rendered(PRODUCTION))))
    names = {name for pair in found for name in pair if name}

    assert names
    for name in names:
        assert f"create secret generic {name}" in explained
