"""deploy/kserve: runtimes and services fit KServe's schemas, and each other, and the server."""

from pathlib import Path
from typing import Any

import pytest

from numbatch.repository.single import SingleModel
from support.deploy import DEPLOY, document
from support.manifests import KUBECTL, MISSING, kustomized
from support.schemas import misfit_of_manifest
from support.serve_arguments import configuration

KSERVE = DEPLOY / "kserve"
RUNTIMES = ("serving-runtime", "serving-runtime-repository")
SERVICES = ("inference-service", "inference-service-repository")


def runtime(name: str) -> dict[str, Any]:
    found: dict[str, Any] = document(KSERVE / f"{name}.yaml")["spec"]
    return found


def container(name: str) -> dict[str, Any]:
    (only,) = runtime(name)["containers"]
    return dict(only)


@pytest.mark.parametrize("name", [*RUNTIMES, *SERVICES])
def test_it_fits_the_schema_of_its_kind(name: str) -> None:
    assert misfit_of_manifest(document(KSERVE / f"{name}.yaml")) == ""


def test_the_schema_refuses_what_it_does_not_know() -> None:
    service = document(KSERVE / "inference-service.yaml")
    service["spec"]["predictor"]["model"]["storageUrl"] = "s3://models"
    assert "storageUrl" in misfit_of_manifest(service)


@pytest.mark.skipif(KUBECTL is None, reason=MISSING)
def test_together_they_fit_as_well() -> None:
    assert [misfit_of_manifest(manifest) for manifest in kustomized("kserve")] == ["", ""]


def test_services_ask_for_formats_and_protocols_that_a_runtime_has() -> None:
    offered = {
        (known["name"], protocol)
        for name in RUNTIMES
        for known in runtime(name)["supportedModelFormats"]
        for protocol in runtime(name)["protocolVersions"]
    }
    for name in SERVICES:
        model = document(KSERVE / f"{name}.yaml")["spec"]["predictor"]["model"]
        assert (model["modelFormat"]["name"], model["protocolVersion"]) in offered


def test_a_runtime_serves_what_is_mounted_under_the_name_of_the_service() -> None:
    # KServe puts the name of the InferenceService into the arguments.
    arguments = [argument.replace("{{.Name}}", "digits") for argument in container("serving-runtime")["args"]]
    assert configuration(arguments).models_on_disk == SingleModel("digits", Path("/mnt/models"))
    repository = configuration(container("serving-runtime-repository")["args"])
    assert repository.models_on_disk == Path("/mnt/models")


def test_the_runtimes_differ_in_that_alone() -> None:
    one, other = (container(name) for name in RUNTIMES)
    assert one.pop("args")[2:] == other.pop("args")[2:]
    assert one == other


@pytest.mark.parametrize("name", RUNTIMES)
def test_ports_are_those_that_kserve_expects(name: str) -> None:
    config = configuration([argument.replace("{{.Name}}", "digits") for argument in container(name)["args"]])
    assert (config.listen, config.http_listen) == ("0.0.0.0:9000", "0.0.0.0:8080")
    assert [(port["name"], port["containerPort"]) for port in container(name)["ports"]] == [("h2c", 9000)]
    assert runtime(name)["annotations"]["prometheus.kserve.io/port"] == "8080"
    assert container(name)["name"] == "kserve-container"
