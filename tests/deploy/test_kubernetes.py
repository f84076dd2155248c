"""deploy/kubernetes: manifests fit the published schemas, and the server that they start."""

import re
from pathlib import Path
from typing import Any

import pytest

from numbatch.serving.rpc.health import LIVENESS, STARTUP
from support.command import numbatch
from support.deploy import DEPLOY, document, documents
from support.manifests import KUBECTL, MISSING, by_kind, kustomized
from support.metrics_page import listed_metrics
from support.promql import asked
from support.schemas import misfit_of_manifest
from support.serve_arguments import configuration

KUBERNETES = DEPLOY / "kubernetes"
BASE = KUBERNETES / "base"
MANIFESTS = [
    path
    for path in sorted(KUBERNETES.rglob("*.yaml"))
    if path.name not in ("kustomization.yaml", "prometheus-adapter.yaml", "demo.yaml")
]
installed = pytest.mark.skipif(KUBECTL is None, reason=MISSING)


def base(name: str) -> dict[str, Any]:
    return document(BASE / f"{name}.yaml")


def pod() -> dict[str, Any]:
    found: dict[str, Any] = base("deployment")["spec"]["template"]["spec"]
    return found


def container() -> dict[str, Any]:
    (only,) = pod()["containers"]
    return dict(only)


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: str(path.relative_to(KUBERNETES)))
def test_a_manifest_fits_the_schema_of_its_kind(path: Path) -> None:
    for manifest in documents(path):
        assert misfit_of_manifest(manifest) == ""


def test_the_schemas_refuse_what_they_do_not_know() -> None:
    deployment = base("deployment")
    deployment["spec"]["template"]["spec"]["containers"][0]["readinessProbe"]["grpc"]["name"] = "liveness"
    assert "name" in misfit_of_manifest(deployment)
    monitor = document(KUBERNETES / "components/monitoring/service-monitor.yaml")
    monitor["spec"]["endpoints"][0]["intervall"] = "15s"
    assert "intervall" in misfit_of_manifest(monitor)


@installed
@pytest.mark.parametrize("overlay", ["demo", "production"])
def test_an_overlay_comes_to_manifests_that_fit(overlay: str) -> None:
    manifests = by_kind(kustomized(f"kubernetes/overlays/{overlay}"))
    assert {kind: misfit for kind, manifest in manifests.items() if (misfit := misfit_of_manifest(manifest))} == {}
    assert {"Deployment", "Service", "PodDisruptionBudget", "NetworkPolicy", "ServiceAccount"} <= manifests.keys()
    if overlay == "production":
        assert {"HorizontalPodAutoscaler", "PrometheusRule", "ServiceMonitor", "ConfigMap"} <= manifests.keys()
        assert "replicas" not in manifests["Deployment"]["spec"]  # the autoscaler's


def test_the_server_understands_its_arguments_and_listens_where_the_ports_are() -> None:
    config = configuration(container()["args"])
    ports = {port["name"]: port["containerPort"] for port in container()["ports"]}
    assert (config.listen, config.http_listen) == (f"0.0.0.0:{ports['grpc']}", f"0.0.0.0:{ports['http']}")
    mounts = {mount["name"]: mount["mountPath"] for mount in container()["volumeMounts"]}
    assert str(config.model_repository) == mounts["models"]


def test_probes_ask_for_names_that_the_server_knows() -> None:
    probes = {name: container()[f"{name}Probe"]["grpc"] for name in ("startup", "readiness", "liveness")}
    assert probes == {
        "startup": {"port": 8001, "service": STARTUP},
        "readiness": {"port": 8001},
        "liveness": {"port": 8001, "service": LIVENESS},
    }


def test_a_pod_has_time_to_end() -> None:
    config = configuration(container()["args"])
    before = container()["lifecycle"]["preStop"]["sleep"]["seconds"]
    needed = before + config.drain_delay_s + config.shutdown_grace_s
    assert pod()["terminationGracePeriodSeconds"] > needed


def test_pods_are_restricted() -> None:
    assert pod()["securityContext"]["runAsNonRoot"] is True
    assert pod()["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for one in (
        container(),
        *document(KUBERNETES / "overlays/demo/demo.yaml")["spec"]["template"]["spec"]["initContainers"],
    ):
        assert one["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


def test_everything_selects_the_same_pods() -> None:
    labels = base("deployment")["spec"]["template"]["metadata"]["labels"]
    assert base("deployment")["spec"]["selector"]["matchLabels"] == labels
    assert base("service")["spec"]["selector"] == labels
    assert base("disruption-budget")["spec"]["selector"]["matchLabels"] == labels
    assert base("network-policy")["spec"]["podSelector"]["matchLabels"] == labels
    monitor = document(KUBERNETES / "components/monitoring/service-monitor.yaml")["spec"]
    assert monitor["selector"]["matchLabels"] == labels
    assert labels[monitor["jobLabel"]] == "numbatch"  # the job that the alerts ask for


def test_the_adapter_has_the_metric_that_the_autoscaler_asks_for_and_makes_it_of_metrics_that_there_are() -> None:
    autoscaler = document(KUBERNETES / "components/autoscaling/autoscaler.yaml")["spec"]
    wanted = {metric["pods"]["metric"]["name"] for metric in autoscaler["metrics"] if metric["type"] == "Pods"}
    rules = document(KUBERNETES / "components/autoscaling/prometheus-adapter.yaml")["rules"]["custom"]
    assert {rule["name"]["as"] for rule in rules} == wanted
    listed = listed_metrics()
    histograms = {name for name, (kind, _) in listed.items() if kind == "histogram"}
    for rule in rules:
        for expression in (rule["seriesQuery"], re.sub(r"<<\.\w+>>", "pod", rule["metricsQuery"])):
            metrics, _ = asked(expression, histograms)
            assert metrics, expression
            assert metrics <= listed.keys()


def test_the_model_of_the_demo_can_be_made_and_served(tmp_path: Path) -> None:
    (init,) = document(KUBERNETES / "overlays/demo/demo.yaml")["spec"]["template"]["spec"]["initContainers"]
    arguments = [str(tmp_path) if argument == "/models" else argument for argument in init["args"]]
    assert numbatch(*arguments).code == 0
    assert numbatch("model", "validate", tmp_path).code == 0
