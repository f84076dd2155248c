"""Cut what the tests of docker-compose.yml and deploy/ need out of published schemas.

    python scripts/schemas.py compose-spec/schema/compose-spec.json KUBERNETES kserve/config/crd/full prometheus-operator/example/prometheus-operator-crd

KUBERNETES is a folder such as `v1.37.0-local-strict` of the Python package kubernetes-validate; the others are those of the
projects. tests/deploy/schemas/README.md says which versions were used. Descriptions are left out, and what no manifest
of ours uses, so that a field that is new here is refused until this script is run again.
"""  # noqa: E501

import argparse
import json
from pathlib import Path
from typing import Any

import yaml

OUT = Path(__file__).resolve().parent.parent / "tests" / "deploy" / "schemas"

KINDS = {
    "Deployment": "deployment-apps-v1",
    "HorizontalPodAutoscaler": "horizontalpodautoscaler-autoscaling-v2",
    "Namespace": "namespace-v1",
    "NetworkPolicy": "networkpolicy-networking-v1",
    "PodDisruptionBudget": "poddisruptionbudget-policy-v1",
    "Service": "service-v1",
    "ServiceAccount": "serviceaccount-v1",
    "ConfigMap": "configmap-v1",
    "PersistentVolumeClaim": "persistentvolumeclaim-v1",
}
KSERVE = {
    "ServingRuntime": "serving.kserve.io_servingruntimes.yaml",
    "InferenceService": "serving.kserve.io_inferenceservices.yaml",
}
OPERATOR = {
    "PrometheusRule": "monitoring.coreos.com_prometheusrules.yaml",
    "ServiceMonitor": "monitoring.coreos.com_servicemonitors.yaml",
}
SAID_FOR_PEOPLE = {"description", "example", "examples", "title", "externalDocs", "deprecated"}

# Hundreds of kilobytes, for what an InferenceService of ours does not say.
PREDICTOR = {"model", "minReplicas", "maxReplicas", "timeout", "deploymentStrategy", "terminationGracePeriodSeconds"}
RUNTIME_LEFT_OUT = {"affinity", "volumes", "workerSpec"}


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    for name in ("compose", "kubernetes", "kserve", "operator"):
        parser.add_argument(name, type=Path)
    told = parser.parse_args()
    write("compose.json", _bare(json.loads(told.compose.read_text())))
    write("kubernetes.json", kubernetes(told.kubernetes))
    kserve = {kind: custom(told.kserve / file) for kind, file in KSERVE.items()}
    runtime = kserve["ServingRuntime"]["properties"]["spec"]["properties"]
    for name in RUNTIME_LEFT_OUT:
        runtime.pop(name, None)
    inference = kserve["InferenceService"]["properties"]
    inference.pop("status", None)
    predictor = inference["spec"]["properties"]["predictor"]
    predictor["properties"] = {name: said for name, said in predictor["properties"].items() if name in PREDICTOR}
    inference["spec"]["properties"] = {"predictor": predictor}
    write("kserve.json", {"$defs": kserve})
    operator = {kind: custom(told.operator / file) for kind, file in OPERATOR.items()}
    write("operator.json", {"$defs": operator})


def kubernetes(folder: Path) -> dict[str, Any]:
    """Return the schemas of the kinds that are used, with the definitions that they refer to."""
    known = json.loads((folder / "_definitions.json").read_text())["$defs"]
    found: dict[str, Any] = {}
    waiting = [(kind, json.loads((folder / f"{file}.json").read_text())) for kind, file in KINDS.items()]
    while waiting:
        name, schema = waiting.pop()
        if name in found:
            continue
        found[name] = schema = _bare(schema)
        for key in ("$id", "$schema"):
            schema.pop(key, None)
        for reference in _references(schema):
            other = reference["$ref"].rsplit("/", 1)[1]
            reference["$ref"] = f"#/$defs/{other}"
            waiting.append((other, known[other]))
    return {"$defs": found}


def custom(file: Path) -> dict[str, Any]:
    """Return the schema of a custom resource, refusing fields that it does not know."""
    (definition,) = [one for one in yaml.safe_load_all(file.read_text()) if one]
    (version,) = [one for one in definition["spec"]["versions"] if one["storage"]]
    schema: dict[str, Any] = _strict(_bare(version["schema"]["openAPIV3Schema"]))
    group, name = definition["spec"]["group"], version["name"]
    schema["properties"]["apiVersion"] = {"const": f"{group}/{name}"}
    schema["properties"]["metadata"] = {"type": "object"}
    return schema


def write(name: str, schema: dict[str, Any]) -> None:
    """Write a schema, with a line for each definition."""
    defined = schema.pop("$defs", schema.pop("definitions", None) if "definitions" in schema else None)
    key = "definitions" if name == "compose.json" else "$defs"
    lines = ",\n".join(f"{json.dumps(kind)}:{_json(defined[kind])}" for kind in sorted(defined))
    head = "".join(f"{json.dumps(field)}:{_json(said)},\n" for field, said in schema.items())
    (OUT / name).write_text(f'{{\n{head}"{key}":{{\n{lines}\n}}\n}}\n')


def _json(schema: Any) -> str:
    return json.dumps(schema, separators=(",", ":"), sort_keys=True)


def _bare(schema: Any, names: bool = False) -> Any:
    """Leave out what is for people; `names`: the keys are names of properties."""
    if isinstance(schema, list):
        return [_bare(part) for part in schema]
    if not isinstance(schema, dict):
        # Go has flags anywhere in a pattern, Python at its start.
        return f"(?i){schema.replace('(?i)', '')}" if isinstance(schema, str) and "(?i)" in schema else schema
    kept = {key: part for key, part in schema.items() if names or not _for_people(key)}
    return {
        key: _bare(part, not names and key in ("properties", "patternProperties", "definitions", "$defs"))
        for key, part in kept.items()
    }


def _for_people(key: str) -> bool:
    return key in SAID_FOR_PEOPLE or (key.startswith("x-") and key != "x-kubernetes-preserve-unknown-fields")


def _strict(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    strict = {key: _strict(part) for key, part in schema.items()}
    closed = "properties" in schema and schema.get("type") == "object" and "additionalProperties" not in schema
    if closed and not schema.get("x-kubernetes-preserve-unknown-fields"):
        strict["additionalProperties"] = False
    return strict


def _references(schema: Any) -> list[dict[str, str]]:
    if isinstance(schema, list):
        return [found for part in schema for found in _references(part)]
    if not isinstance(schema, dict):
        return []
    own = [schema] if isinstance(schema.get("$ref"), str) else []
    return own + [found for part in schema.values() for found in _references(part)]


if __name__ == "__main__":
    main()
