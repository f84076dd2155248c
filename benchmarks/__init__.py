"""Measurements against peers, in one run. Never collected by pytest.

Settings of the environment that pin a peer's library to an old processor or to a number of threads are dropped here,
before NumPy or any peer is first imported: each is to be at its best, and thread counts are set through its own
interface.
"""

import os

_PREFIXES = ("OPENBLAS_", "OMP_", "GOMP_", "KMP_", "MKL_", "DNNL_", "ONEDNN_")

#: What was set, and is not any more.
DROPPED = {name: os.environ.pop(name) for name in sorted(os.environ) if name.startswith(_PREFIXES)}
