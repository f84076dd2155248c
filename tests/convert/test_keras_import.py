"""Whoever reads files of Keras needs neither Keras nor a compiler."""

import subprocess
import sys


def test_importing_the_reader_imports_no_framework_and_no_compiler() -> None:
    code = "import sys, numbatch.convert.keras; print(*{name.partition('.')[0] for name in sys.modules})"
    ran = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert {"h5py", "keras", "numba", "tensorflow"}.isdisjoint(ran.stdout.split())
