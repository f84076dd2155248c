"""How many processors there are for this process."""

import os
from pathlib import Path

import pytest

from numbatch.kernels.processors import available_cpus

CGROUPS: dict[str, tuple[dict[str, str], int]] = {
    "no quota": ({"cpu.max": "max 100000\n"}, 8),
    "a processor and a half": ({"cpu.max": "150000 100000\n"}, 2),
    "two": ({"cpu.max": "200000 100000\n"}, 2),
    "half of one": ({"cpu.max": "50000 100000\n"}, 1),
    "more than there are": ({"cpu.max": "1600000 100000\n"}, 8),
    "a period of nothing": ({"cpu.max": "100000 0\n"}, 8),
    "a quota of nothing": ({"cpu.max": "0 100000\n"}, 8),
    "garbage": ({"cpu.max": "a lot\n"}, 8),
    "one word": ({"cpu.max": "max\n"}, 8),
    "empty": ({"cpu.max": ""}, 8),
    "v1": ({"cpu/cpu.cfs_quota_us": "250000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 3),
    "v1 without quota": ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 8),
    "v1 without period": ({"cpu/cpu.cfs_quota_us": "250000\n"}, 8),
    "v1 garbage": ({"cpu/cpu.cfs_quota_us": "?\n", "cpu/cpu.cfs_period_us": "\n"}, 8),
    "nothing": ({}, 8),
}


@pytest.mark.parametrize(("files", "cpus"), CGROUPS.values(), ids=CGROUPS.keys())
def test_a_container_has_the_processors_of_its_quota(
    files: dict[str, str], cpus: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert available_cpus(tmp_path) == cpus


def test_without_affinity_the_processors_of_the_machine_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 5)
    assert available_cpus(tmp_path) == 5
