"""The files that operators use: docker-compose.yml and deploy/."""

import json
from pathlib import Path
from typing import Any

import yaml

from support.project import ROOT

DEPLOY = ROOT / "deploy"
COMPOSE = ROOT / "docker-compose.yml"
DASHBOARD = DEPLOY / "grafana" / "dashboards" / "numbatch.json"
ALERTS = DEPLOY / "prometheus" / "alerts.yml"


def documents(path: Path) -> list[dict[str, Any]]:
    """Return the documents of a YAML file."""
    return [document for document in yaml.safe_load_all(path.read_text()) if document is not None]


def document(path: Path) -> dict[str, Any]:
    """Return the only document of a YAML file."""
    (only,) = documents(path)
    return only


def dashboard() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(DASHBOARD.read_text())
    return loaded


def queries() -> dict[str, str]:
    """The expressions of the dashboard, by panel."""
    panels = [panel for panel in dashboard()["panels"] if panel["type"] != "row"]
    return {f"{panel['title']} {target['refId']}": target["expr"] for panel in panels for target in panel["targets"]}


def alerts() -> list[dict[str, Any]]:
    return [rule for group in document(ALERTS)["groups"] for rule in group["rules"]]
