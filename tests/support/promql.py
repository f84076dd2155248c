"""What a PromQL expression asks for: the metrics and the labels in it."""

import re
from typing import NamedTuple

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_METRIC = re.compile(r"\b(?:numbatch|process)_\w+")
_MATCHERS = re.compile(r"\{([^{}]*)\}")
_MATCHER = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")
_GROUPS = re.compile(r"\b(?:by|without|on|ignoring)\s*\(([^()]*)\)")
_PARTS = re.compile(r"_(bucket|sum|count)$")


class Asked(NamedTuple):
    """The metrics by the names that they have in docs/metrics.md, and the labels."""

    metrics: set[str]
    labels: set[str]


def asked(expression: str, histograms: set[str]) -> Asked:
    """Return what an expression asks for."""
    bare = _STRING.sub('""', expression)
    names = _METRIC.findall(bare)
    metrics = {_PARTS.sub("", name) if _PARTS.sub("", name) in histograms else name for name in names}
    labels = {label for found in _MATCHERS.findall(bare) for label in _MATCHER.findall(found)}
    labels |= {label.strip() for found in _GROUPS.findall(bare) for label in found.split(",") if label.strip()}
    return Asked(metrics, labels)
