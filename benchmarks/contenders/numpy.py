"""NumPy with OpenBLAS, in place: a product into memory that is there already, then bias and ReLU on it."""

import functools
from typing import Any

import numpy as np
import threadpoolctl

from benchmarks.contenders import Bind, Call, Contender
from benchmarks.grid import Array, Network


@functools.cache
def _libraries() -> list[Any]:
    return list(threadpoolctl.ThreadpoolController().select(user_api="blas").lib_controllers)


def _load(network: Network, threads: int) -> Bind:
    for library in _libraries():
        library.set_num_threads(threads)
    layers = network.weights()

    def bind(x: Array) -> dict[str, Call]:
        steps = [(kernel, bias, np.empty((len(x), len(bias)), np.float32)) for kernel, bias in layers]

        def call() -> Array:
            y = x
            for kernel, bias, out in steps:
                np.matmul(y, kernel, out=out)
                np.add(out, bias, out=out)
                y = np.maximum(out, 0, out=out)
            return y

        return {"in_place": call}

    return bind


def _version() -> str:
    own = [library for library in _libraries() if "numpy" in library.filepath]  # SciPy brings one of its own
    blas = [f"{library.internal_api} {library.version} {library.architecture}" for library in own]
    return " ".join([np.__version__, *blas])


CONTENDERS = (Contender("numpy", _version(), _load),)
