"""Which parts of the address space can be given back."""

import subprocess
import sys

import pytest

from numbatch.engine.resident import Mapping, droppable, mappings

SMAPS = """\
7f0000000000-7f0000001000 r--p 00000000 fe:00 123    /site packages/libllvmlite.so
Size:                  4 kB
Rss:                   4 kB
Anonymous:             0 kB
7f0000001000-7f0000003000 r-xp 00001000 fe:00 123    /site packages/libllvmlite.so
Rss:                   8 kB
Anonymous:             0 kB
7f0000003000-7f0000004000 r--p 00003000 fe:00 123    /site packages/libllvmlite.so
Anonymous:             4 kB
7f0000004000-7f0000005000 rw-p 00004000 fe:00 123    /site packages/libllvmlite.so
Anonymous:             0 kB
7f0000005000-7f0000006000 r-xp 00000000 fe:00 124    /lib/libc.so.6
Anonymous:             0 kB
7f0000006000-7f0000007000 rw-p 00000000 00:00 0 
Anonymous:             4 kB
""".splitlines()  # noqa: W291


def test_what_is_the_files_and_unchanged_can_be_read_again() -> None:
    parts = list(droppable(mappings(SMAPS), "libllvmlite.so"))
    path = "/site packages/libllvmlite.so"
    assert parts == [
        Mapping(0x7F0000000000, 0x7F0000001000, "r--p", path, 0),
        Mapping(0x7F0000001000, 0x7F0000003000, "r-xp", path, 0),
    ]


def test_nothing_else_is_dropped() -> None:
    assert [part.path for part in mappings(SMAPS)] == ["/site packages/libllvmlite.so"] * 4 + ["/lib/libc.so.6", ""]
    assert list(droppable(mappings(SMAPS), "libm.so")) == []


@pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc")
def test_models_run_and_are_loaded_and_the_compiler_compiles_after_its_pages_were_dropped() -> None:
    program = """
import numba
from numbatch.engine import load_model
from numbatch.engine.resident import release_compiler, trim_heap
from numbatch.models import Dense, Input, Sequential
message = Sequential([Input((64,)), Dense(64)], seed=1).to_message("net")
before = load_model(message)
y = before.infer([[1.0] * 64])
assert release_compiler() > 10_000_000
trim_heap()
assert (before.infer([[1.0] * 64]) == y).all()
assert (load_model(message).infer([[1.0] * 64]) == y).all()
assert numba.njit(lambda x: x + 1)(1) == 2
print("well")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.returncode) == ("well\n", 0), done.stderr
