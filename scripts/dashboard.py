"""Write the Grafana dashboard, and the alerts as Kubernetes takes them: `make dashboard`.

The dashboard is a table of panels; what Grafana wants around each of them is the same, and is added here.
"""

import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

import yaml

DEPLOY = Path(__file__).resolve().parent.parent / "deploy"
DASHBOARD = DEPLOY / "grafana" / "dashboards" / "numbatch.json"
ALERTS = DEPLOY / "prometheus" / "alerts.yml"
RULE = DEPLOY / "kubernetes" / "components" / "monitoring" / "prometheus-rule.yaml"

COLUMNS = 24
SOURCE = {"type": "prometheus", "uid": "${datasource}"}

# What is chosen at the top of the dashboard: servers, and models.
_SERVERS = 'job=~"$job", instance=~"$instance"'
_MODELS = f'{_SERVERS}, model=~"$model"'


class Panel(NamedTuple):
    """One panel: what it shows, and where.

    Attributes
    ----------
    queries : dict of str to str
        The queries by what their series are called, which may have labels of theirs in it: "{{model}}".
    steps : tuple of (float, str)
        From which value on it has which colour.
    """

    kind: str
    title: str
    says: str
    unit: str
    width: int
    queries: dict[str, str]
    height: int = 8
    stacked: bool = False
    steps: tuple[tuple[float, str], ...] = ()


def rate(name: str, by: str = "", where: str = "", among: str = _MODELS) -> str:
    """Return the query for the rate of a counter, summed up."""
    inner = f"rate(numbatch_{name}{{{among}{', ' + where if where else ''}}}[$__rate_interval])"
    return f"sum by ({by}) ({inner})" if by else f"sum({inner})"


def mean(name: str, by: str = "") -> str:
    """Return the query for the mean of a histogram."""
    return f"{rate(f'{name}_sum', by)} / {rate(f'{name}_count', by)}"


def quantile(share: float, name: str, by: str = "", among: str = _MODELS) -> str:
    """Return the query for a percentile of a histogram."""
    return f"histogram_quantile({share}, {rate(f'{name}_bucket', f'{by}, le' if by else 'le', among=among)})"


def percentiles(name: str, *shares: float, among: str = _MODELS) -> dict[str, str]:
    """Return the queries for percentiles."""
    return {f"p{share * 100:g}": quantile(share, name, among=among) for share in shares}


def level(name: str, by: str = "", among: str = _MODELS) -> str:
    """Return the query for a gauge, summed up."""
    return f"sum by ({by}) (numbatch_{name}{{{among}}})" if by else f"sum(numbatch_{name}{{{among}}})"


def waiting(name: str, by: str = "") -> str:
    """Return the query for a gauge of what waits, which a model has none of before something of it had to wait."""
    return f"{level(name, by)} or 0 * {level('model_default_version', by)}"


def share(part: str) -> str:
    """Return the query for the part of the requests that ended for some reasons; 0 where there are none of them."""
    return f"({rate('requests_total', where=part)} or vector(0)) / {rate('requests_total')}"


BAD = ((0.0, "green"), (0.001, "orange"), (0.01, "red"))
NONE_IS_GOOD = ((0.0, "green"), (1.0, "red"))
FAILED = 'reason!~"OK|SERVER_OVERLOADED"'

ROWS: dict[str, list[Panel]] = {
    "Now": [
        Panel("stat", "Ready servers", "That answer requests.", "short", 3,
              {"ready": level("ready", among=_SERVERS)}, 4, steps=((0.0, "red"), (1.0, "green"))),
        Panel("stat", "Requests", "Answered or refused; each minibatch of a stream is one.", "reqps", 3,
              {"requests": rate("requests_total")}, 4),
        Panel("stat", "Rows", "Of requests that succeeded.", "rowsps", 3, {"rows": rate("rows_total")}, 4),
        Panel("stat", "p99", "The latency of 99 of 100 requests.", "s", 3,
              percentiles("request_duration_seconds", 0.99), 4),
        Panel("stat", "Failed", "The part of the requests that failed, refusals aside.", "percentunit", 3,
              {"failed": share(FAILED)}, 4, steps=BAD),
        Panel("stat", "Refused", "The part of the requests that was refused because of a limit.", "percentunit", 3,
              {"refused": share('reason="SERVER_OVERLOADED"')}, 4, steps=BAD),
        Panel("stat", "Models ready", "Of which some version answers.", "short", 3,
              {"models": f"count(max by (model) (numbatch_model_default_version{{{_MODELS}}}) > 0) or vector(0)"}, 4),
        Panel("stat", "Alerts", "That fire.", "short", 3,
              {"alerts": 'count(ALERTS{alertname=~"Numbatch.*", alertstate="firing"}) or vector(0)'}, 4,
              steps=NONE_IS_GOOD),
    ],
    "Requests": [
        Panel("timeseries", "Requests by model", "Answered or refused.", "reqps", 8,
              {"{{model}}": rate("requests_total", "model")}, stacked=True),
        Panel("timeseries", "Requests that did not succeed, by reason", "Callers' mistakes are among them.", "reqps", 8,
              {"{{reason}}": rate("requests_total", "reason", 'reason!="OK"')}, stacked=True),
        Panel("timeseries", "Refusals by limit", "Which limit was reached; `numbatch serve --help` lists them.",
              "reqps", 8, {"{{model}}: {{limit}}": rate("refusals_total", "model, limit")}, stacked=True),
        Panel("timeseries", "Rows by model", "Of requests that succeeded.", "rowsps", 8,
              {"{{model}}": rate("rows_total", "model")}, stacked=True),
        Panel("timeseries", "Bytes", "Of request and response messages.", "Bps", 8,
              {"received": rate("request_bytes_total"), "sent": rate("response_bytes_total")}),
        Panel("timeseries", "Requests by method", "How they came.", "reqps", 8,
              {"{{method}}": rate("requests_total", "method")}, stacked=True),
    ],
    "Latency": [
        Panel("timeseries", "Latency percentiles", "From the bytes of a request to those of its answer, on the server.",
              "s", 8, percentiles("request_duration_seconds", 0.5, 0.9, 0.99, 0.999)),
        Panel("timeseries", "Where the time goes",
              "On average: waiting for a place in a batch, the batch itself, and the rest: reading, checking, writing.",
              "s", 8,
              {"waiting": mean("queue_duration_seconds"), "computing": mean("batch_duration_seconds"),
               "the rest": f"clamp_min({mean('request_duration_seconds')} - {mean('queue_duration_seconds')}"
                           f" - {mean('batch_duration_seconds')}, 0)"}, stacked=True),
        Panel("timeseries", "p99 by model", "The latency of 99 of 100 requests.", "s", 8,
              {"{{model}}": quantile(0.99, "request_duration_seconds", "model")}),
        Panel("heatmap", "Latency", "How many requests took how long.", "s", 12,
              {"{{le}}": rate("request_duration_seconds_bucket", "le")}),
        Panel("heatmap", "Waiting", "How many requests waited how long to be computed.", "s", 12,
              {"{{le}}": rate("queue_duration_seconds_bucket", "le")}),
    ],
    "Queue and limits": [
        Panel("timeseries", "Waiting percentiles", "How long requests wait to be computed.", "s", 8,
              percentiles("queue_duration_seconds", 0.5, 0.9, 0.99)),
        Panel("timeseries", "Requests waiting or running", "--max-in-flight bounds them, for each model.", "short", 8,
              {"{{model}}: waiting or running": waiting("in_flight_requests", "model"),
               "{{model}}: waiting": waiting("queued_requests", "model")}),
        Panel("timeseries", "Rows waiting", "--max-queued-rows bounds them.", "short", 8,
              {"{{model}}": waiting("queued_rows", "model")}),
        Panel("timeseries", "Bytes waiting or running", "--max-bytes-in-flight and --max-queued-bytes bound them.",
              "bytes", 8, {"in flight": level("in_flight_bytes", among=_SERVERS), "queued": waiting("queued_bytes")}),
        Panel("timeseries", "Calls and streams", "A drain waits for these.", "short", 8,
              {"calls": level("calls_in_progress", among=_SERVERS), "streams": level("open_streams", among=_SERVERS)}),
        Panel("timeseries", "Connections", "To the port of gRPC.", "short", 8,
              {"{{instance}}": level("connections", "instance", _SERVERS)}),
    ],
    "Batches": [
        Panel("timeseries", "Rows in a batch", "On average.", "short", 8, {"{{model}}": mean("batch_rows", "model")}),
        Panel("timeseries", "Requests in a batch", "On average: 1 means that requests seldom meet.", "short", 8,
              {"{{model}}": mean("batch_requests", "model")}),
        Panel("timeseries", "Batches", "That ran, and that failed.", "ops", 8,
              {"{{model}}": rate("batch_duration_seconds_count", "model"),
               "{{model}}: failed": rate("batch_failures_total", "model")}),
        Panel("heatmap", "Batch sizes", "How many batches had how many rows.", "short", 12,
              {"{{le}}": rate("batch_rows_bucket", "le")}),
        Panel("timeseries", "Computing percentiles", "How long a batch runs.", "s", 12,
              percentiles("batch_duration_seconds", 0.5, 0.9, 0.99)),
    ],
    "Models": [
        Panel("table", "Versions", "The state of every version.", "short", 8,
              {"": f"max by (model, version, state) (numbatch_model_version_state{{{_MODELS}}}) == 1"}),
        Panel("timeseries", "Weights", "Packed weights in memory, on each server.", "bytes", 8,
              {"{{model}} {{version}}": f"max by (model, version) (numbatch_model_weights_bytes{{{_MODELS}}})"},
              stacked=True),
        Panel("timeseries", "Loads", "Versions that were loaded, or not and why not.", "short", 8,
              {"{{model}}: {{reason}}":
               f"sum by (model, reason) (increase(numbatch_model_loads_total{{{_MODELS}}}[$__rate_interval]))"}),
    ],
    "Servers": [
        Panel("timeseries", "Processors", "How many are used.", "short", 8,
              {"{{instance}}": f"sum by (instance) (rate(process_cpu_seconds_total{{{_SERVERS}}}[$__rate_interval]))"}),
        Panel("timeseries", "Memory", "Resident memory; pages that workers share are counted in each of them.", "bytes",
              8, {"{{instance}}": f"sum by (instance) (process_resident_memory_bytes{{{_SERVERS}}})",
                  "{{instance}}: heap": level("heap_bytes", "instance", _SERVERS)}),
        Panel("timeseries", "Lag of the event loop", "How late it comes to a timer: what every message waits for.", "s",
              8, percentiles("event_loop_lag_seconds", 0.5, 0.99, among=_SERVERS)),
        Panel("timeseries", "Open files", "Connections are among them.", "short", 8,
              {"{{instance}}": f"sum by (instance) (process_open_fds{{{_SERVERS}}})"}),
        Panel("timeseries", "Compilations after the start", "Always 0, or requests wait for a compiler.", "short", 8,
              {"{{instance}}": level("kernel_compilations_after_ready_total", "instance", _SERVERS)}),
        Panel("table", "Builds", "What each server is made of.", "short", 8,
              {"": f"sum by (instance, version, python, grpcio, numba, target) (numbatch_build_info{{{_SERVERS}}})"}),
    ],
}  # fmt: skip


def dashboard() -> dict[str, Any]:
    """Return the dashboard as Grafana takes it."""
    panels: list[dict[str, Any]] = []
    top = 0
    for title, row in ROWS.items():
        grid = {"h": 1, "w": COLUMNS, "x": 0, "y": top}
        panels.append({"id": len(panels) + 1, "type": "row", "title": title, "collapsed": False, "gridPos": grid})
        panels[-1]["panels"] = []
        left, top = 0, top + 1
        for panel in row:
            if left + panel.width > COLUMNS:
                left, top = 0, top + panel.height
            grid = {"h": panel.height, "w": panel.width, "x": left, "y": top}
            panels.append(_panel(panel, len(panels) + 1, grid))
            left += panel.width
        top += row[-1].height
    return {
        "uid": "numbatch",
        "title": "numbatch",
        "tags": ["numbatch"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "time": {"from": "now-15m", "to": "now"},
        "refresh": "5s",
        "timezone": "",
        "annotations": {"list": []},
        "links": [],
        "templating": {"list": _variables()},
        "panels": panels,
    }


def _variables() -> list[dict[str, Any]]:
    def of(name: str, label: str, query: str, *, several: bool = True) -> dict[str, Any]:
        everything = {"selected": True, "text": "All", "value": "$__all"}
        return {
            "name": name,
            "label": label,
            "type": "query",
            "datasource": SOURCE,
            "query": {"query": query, "refId": name},
            "refresh": 2,
            "sort": 1,
            "multi": several,
            "includeAll": True,
            "allValue": ".*",
            "current": everything,
            "options": [],
            "hide": 0,
        }

    source = {"name": "datasource", "label": "Source", "type": "datasource", "query": "prometheus", "hide": 0}
    chosen = {"selected": True, "text": "Prometheus", "value": "prometheus"}
    return [
        {**source, "current": chosen, "options": [], "refresh": 1, "regex": "", "multi": False, "includeAll": False},
        of("job", "Job", "label_values(numbatch_build_info, job)"),
        of("instance", "Server", 'label_values(numbatch_build_info{job=~"$job"}, instance)'),
        of("model", "Model", f"label_values(numbatch_model_default_version{{{_SERVERS}}}, model)"),
    ]


def _panel(panel: Panel, number: int, grid: dict[str, int]) -> dict[str, Any]:
    defaults: dict[str, Any] = {"unit": panel.unit, "min": 0}
    if panel.kind == "timeseries":
        stacking = {"mode": "normal" if panel.stacked else "none", "group": "A"}
        custom = {"drawStyle": "line", "lineWidth": 1, "fillOpacity": 30 if panel.stacked else 0, "stacking": stacking}
        defaults["custom"] = {**custom, "showPoints": "never"}
    if panel.steps:
        steps = [{"value": None if value == 0 else value, "color": color} for value, color in panel.steps]
        defaults["thresholds"] = {"mode": "absolute", "steps": steps}
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.says,
        "datasource": SOURCE,
        "gridPos": grid,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": _OPTIONS[panel.kind](panel),
        "targets": [_target(panel, *named, index) for index, named in enumerate(panel.queries.items())],
        **({"transformations": _TABLE} if panel.kind == "table" else {}),
    }


def _target(panel: Panel, name: str, query: str, index: int) -> dict[str, Any]:
    table = panel.kind == "table"
    return {
        "refId": "ABCDEFGH"[index],
        "datasource": SOURCE,
        "expr": query,
        "legendFormat": name,
        "format": {"heatmap": "heatmap", "table": "table"}.get(panel.kind, "time_series"),
        "instant": table,
        "range": not table,
    }


# A row for each series, without the columns that say nothing.
_TABLE = [{"id": "organize", "options": {"excludeByName": {"Time": True, "Value": True}}}]

_OPTIONS = {
    "stat": lambda panel: {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "colorMode": "background" if panel.steps else "value",
        "graphMode": "area",
    },
    "timeseries": lambda panel: {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "desc"},
    },
    "heatmap": lambda panel: {
        "calculate": False,
        "yAxis": {"unit": panel.unit},
        "rowsFrame": {"layout": "auto"},
        "color": {
            "mode": "scheme",
            "scheme": "Blues",
            "steps": 64,
            "exponent": 0.5,
            "scale": "exponential",
            "reverse": False,
        },
        "cellGap": 1,
        "tooltip": {"mode": "single", "yHistogram": False},
        "legend": {"show": True},
    },
    "table": lambda panel: {"showHeader": True, "cellHeight": "sm"},
}


def prometheus_rule() -> dict[str, Any]:
    """Return the alerts as Prometheus' operator takes them."""
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "numbatch"},
        "spec": yaml.safe_load(ALERTS.read_text()),
    }


def files() -> dict[Path, str]:
    """Return what the files are to hold."""
    rule = yaml.safe_dump(prometheus_rule(), sort_keys=False, width=1000)
    return {
        DASHBOARD: json.dumps(dashboard(), indent=2) + "\n",
        RULE: f"# Written by scripts/dashboard.py from deploy/prometheus/alerts.yml.\n{rule}",
    }


def main() -> int:
    """Write them."""
    for path, text in files().items():
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
