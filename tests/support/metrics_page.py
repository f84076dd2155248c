"""The table of metrics in docs/metrics.md."""

import re

from support.project import ROOT

PAGE = (ROOT / "docs" / "metrics.md").read_text()
ROW = re.compile(r"\| `(?P<name>\w+)` \| (?P<type>\w+) \|(?P<labels>[^|]*)\|(?P<unit>[^|]*)\| \S.* \|")


def listed_metrics() -> dict[str, tuple[str, tuple[str, ...]]]:
    """The type and the labels, sorted, of every metric on the page."""
    return {
        row["name"]: (row["type"], tuple(sorted(re.findall(r"`(\w+)`", row["labels"])))) for row in ROW.finditer(PAGE)
    }
