"""The dashboard and the alerts: they ask for what a server says, and are what the script makes of its table."""

import runpy
import subprocess

import pytest

from support.deploy import ALERTS, DEPLOY, alerts, dashboard, document, queries
from support.metrics_page import listed_metrics
from support.project import ROOT
from support.prometheus import MISSING, PROMTOOL
from support.promql import asked

# What Prometheus adds to every series, and the bucket of a histogram; Kubernetes' discovery adds the others.
ADDED = {"job", "instance", "le", "pid", "alertname", "alertstate"}


def test_a_query_is_taken_apart_into_metrics_and_labels() -> None:
    query = 'sum by (model, le) (rate(numbatch_batch_rows_bucket{job=~"by (x)"}[5m])) / on (pid) process_open_fds'
    assert asked(query, {"numbatch_batch_rows"}) == (
        {"numbatch_batch_rows", "process_open_fds"},
        {"model", "le", "job", "pid"},
    )


@pytest.mark.parametrize("what", ["dashboard", "alerts"])
def test_every_metric_and_label_that_is_asked_for_is_on_the_page_of_the_metrics(what: str) -> None:
    listed = listed_metrics()
    histograms = {name for name, (kind, _) in listed.items() if kind == "histogram"}
    expressions = queries() if what == "dashboard" else {rule["alert"]: rule["expr"] for rule in alerts()}
    assert len(expressions) >= 15
    for where, expression in expressions.items():
        metrics, labels = asked(expression, histograms)
        assert metrics or "up{" in expression or "ALERTS{" in expression, where
        assert metrics <= listed.keys(), where
        known = {label for name in metrics for label in listed[name][1]}
        assert labels <= known | ADDED, where


def test_the_dashboard_and_the_rule_are_what_the_script_writes() -> None:
    written = runpy.run_path(str(ROOT / "scripts" / "dashboard.py"))["files"]()
    assert len(written) == 2
    for path, text in written.items():
        assert path.read_text() == text, f"{path}: make dashboard writes it anew"


def test_panels_lie_side_by_side_and_none_on_another() -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in dashboard()["panels"]:
        grid = panel["gridPos"]
        assert grid["x"] + grid["w"] <= 24
        for cell in [(x + grid["x"], y + grid["y"]) for x in range(grid["w"]) for y in range(grid["h"])]:
            assert taken.setdefault(cell, panel["title"]) == panel["title"]


def test_every_panel_says_what_it_shows_and_has_a_number_of_its_own() -> None:
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert all(panel["description"] for panel in panels if panel["type"] != "row")


def test_the_source_of_the_dashboard_is_provisioned_with_it() -> None:
    (source,) = document(DEPLOY / "grafana/provisioning/datasources/prometheus.yml")["datasources"]
    (provider,) = document(DEPLOY / "grafana/provisioning/dashboards/numbatch.yml")["providers"]
    assert (source["type"], source["isDefault"]) == ("prometheus", True)
    interval = document(DEPLOY / "prometheus/prometheus.yml")["global"]["scrape_interval"]
    assert source["jsonData"]["timeInterval"] == interval  # $__rate_interval follows from it
    assert provider["options"]["path"] == "/etc/grafana/dashboards"


def test_every_alert_says_how_bad_it_is_what_happened_and_what_to_do() -> None:
    for rule in alerts():
        assert rule["labels"]["severity"] in ("critical", "warning"), rule["alert"]
        assert set(rule["annotations"]) == {"summary", "description"}, rule["alert"]


def test_every_alert_has_a_test_in_which_it_fires() -> None:
    tests = document(ALERTS.with_name("alerts_test.yml"))["tests"]
    fires = {case["alertname"] for test in tests for case in test.get("alert_rule_test", ()) if "exp_alerts" in case}
    assert fires == {rule["alert"] for rule in alerts()}


@pytest.mark.skipif(PROMTOOL is None, reason=MISSING)
@pytest.mark.parametrize(
    "arguments", ["check config prometheus.yml", "check rules alerts.yml", "test rules alerts_test.yml"]
)
def test_promtool_accepts(arguments: str) -> None:
    command = [str(PROMTOOL), *arguments.split()]
    ended = subprocess.run(command, cwd=ALERTS.parent, capture_output=True, text=True, timeout=50, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
