"""How many connections there are to a port, as Linux tells it; gRPC does not say."""

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

# Of the network that this process sees. A row is: number, own address, peer's address, state; 01 is ESTABLISHED.
_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_ROW = r"^ *\d+: [0-9A-F]+:{port:04X} [0-9A-F]+:[0-9A-F]{{4}} 01 "


def count_connections(port: int, tables: Sequence[Path] = _TABLES) -> int | None:
    """Return the number of established TCP connections to a port of this machine, or None where that is not told."""
    row = re.compile(_ROW.format(port=port), re.MULTILINE)
    found = [len(row.findall(table.read_text())) for table in tables if table.exists()]
    return sum(found) if found else None


class Connections(Collector):
    """The metric. Workers that share a port see the connections of all of them.

    Parameters
    ----------
    port : callable
        Returns the port; 0 where there is none.
    """

    def __init__(self, port: Callable[[], int]) -> None:
        self._port = port

    def collect(self) -> Iterable[Metric]:
        """Count anew: the table of a machine with many connections takes milliseconds to read."""
        port = self._port()
        count = count_connections(port) if port else None
        if count is not None:
            yield GaugeMetricFamily("numbatch_connections", "Open TCP connections to the port of gRPC.", value=count)
