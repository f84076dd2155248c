"""The table as it is made, the targets at the end, and the JSON document."""

import json
import platform
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import llvmlite
import numba

from benchmarks import DROPPED
from benchmarks.contenders import Contender
from benchmarks.targets import GEOMETRIC_MEAN, is_quiet


def heading(peers: Sequence[str]) -> str:
    """Return the first line of the table."""
    columns = "".join(f"{name[:12]:>13}" for name in peers)
    return (
        f"{'network':>20} {'batch':>5} {'thr':>3} {'numbatch':>10} {'GF/s':>6} {'fma':>4} {'read':>4}{columns}  ratio"
    )


def line(cell: Mapping[str, Any], peers: Sequence[str]) -> str:
    """Return a cell as a line: times in microseconds."""
    columns = "".join(f"{_number(cell['peers'].get(name), 13, 1)}" for name in peers)
    best = cell.get("best_peer", "")
    best += f"/{cell['variants'][best]}" if best else ""
    return (
        f"{cell['network']:>20} {cell['m']:>5} {cell['threads']:>3} {_number(cell.get('numbatch_us'), 10, 1)} "
        f"{_number(cell.get('gflops'), 6, 1)} {_percent(cell.get('fma_fraction'))} "
        f"{_percent(cell.get('read_fraction'))}{columns} {_number(cell.get('ratio'), 6, 2)}  {best}"
    )


def conclusion(document: Mapping[str, Any]) -> str:
    """Return what the run comes to: the machine's limits, the ratios, the targets."""
    lines = ["", f"FMA peak, GFLOP/s by threads: {_values(document['fma_peak_gflops_by_threads'])}"]
    pairs = [cell for cell in document["cells"] if cell["threads"] > 1]
    if disturbed := sum(not is_quiet(cell["fma_speedup"]) for cell in pairs):
        lines.append(f"in {disturbed} of {len(pairs)} cells two threads of the FMA kernel were under 1.9 times one")
    for threads, by_size in document["read_gb_per_s_by_working_set"].items():
        lines.append(f"reading, GB/s, threads {threads}: {_values(by_size)}")
    for name, figures in document.get("startup", {}).items():
        lines.append(f"{name} start, s: {_values(figures)}")
    if "dispatch_us" in document:
        lines.append(f"10-3-5, one row, us: {_values(document['dispatch_us'])}")
    summary = document["summary"]
    if "geometric_mean" in summary:
        mean = summary["geometric_mean"]
        lines.append(
            f"ratio, one thread: geometric mean {mean:.2f}, least {summary['min_ratio']:.2f} "
            f"({summary['min_ratio_cell']}), below 1 in {summary['cells_below_1']} cells"
        )
        lines.append(f"{_verdict(mean >= GEOMETRIC_MEAN)}  geometric mean >= {GEOMETRIC_MEAN}: {mean:.2f}")
    lines += [_reached(target) for target in summary["targets"] if target["cells"]]
    return "\n".join(lines)


def versions(contenders: Iterable[Contender]) -> dict[str, Any]:
    """Return what was measured, and which settings of the environment were dropped first."""
    found = {"python": platform.python_version(), "numba": numba.__version__, "llvmlite": llvmlite.__version__}
    found |= {contender.name: contender.version for contender in contenders}
    return {"versions": found, "dropped_settings": DROPPED}


def write(document: Mapping[str, Any], path: Path) -> None:
    """Write the document, its floats to five digits."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(_rounded(document), indent=1) + "\n")


def _reached(target: Mapping[str, Any]) -> str:
    return (
        f"{_verdict(target['reached'] == target['cells'])}  {target['name']} >= {target['least']}: "
        f"{target['reached']} of {target['cells']} cells, least {target['worst']:.2f} ({target['worst_cell']})"
    )


def _rounded(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    if isinstance(value, float):
        return float(f"{value:.5g}") if value == value else None
    return value


def _number(value: float | None, width: int, digits: int) -> str:
    return f"{'-':>{width}}" if value is None else f"{value:>{width}.{digits}f}"


def _percent(fraction: float | None) -> str:
    return "   -" if fraction is None else f"{fraction:>4.0%}"


def _values(values: Mapping[Any, float]) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in values.items())


def _verdict(passed: bool) -> str:
    return "PASS" if passed else "FAIL"
