"""How fast the machine reads, over a whole run: measured at its start and after each network, and the medians."""

import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence

from benchmarks.roofline import Reading
from benchmarks.timing import take_turns, warm_up

_SIZES = {"512 KiB": 512 << 10, "4 MiB": 4 << 20, "16 MiB": 16 << 20}


class Bandwidth:
    """What reading has reached, so far, by working set.

    Parameters
    ----------
    threads : sequence of int
        Numbers of threads at once.
    caches : mapping of str to int
        Their sizes: what lies beyond the last one is measured too.
    """

    def __init__(self, threads: Sequence[int], caches: Mapping[str, int]) -> None:
        beyond = min(max(256 << 20, 2 * max(caches.values(), default=0)), 1 << 30)
        self._sizes = _SIZES | {f"{beyond >> 20} MiB": beyond}
        self._threads = threads
        self._found: dict[int, dict[str, list[float]]] = {count: defaultdict(list) for count in threads}
        self.reading = Reading(beyond)

    def measure(self) -> None:
        """Measure it once more."""
        for threads in self._threads:
            works = {name: self.reading.of(size, threads) for name, size in self._sizes.items()}
            calls = {name: work.call for name, work in works.items()}
            for name, us in take_turns(calls, warm_up(calls), 0.1, threads=threads).items():
                self._found[threads][name].append(works[name].rate(us))

    def medians(self) -> dict[str, dict[str, float]]:
        """Return GB/s by number of threads and size of the working set."""
        return {
            str(threads): {size: statistics.median(found[size]) for size in self._sizes}
            for threads, found in self._found.items()
        }
