"""numbatch through its public interface: `infer` on a float32 array, which returns a new array."""

import importlib.metadata

from benchmarks.contenders import Bind, Call, Contender
from benchmarks.grid import Array, Network
from numbatch import engine


def _load(network: Network, threads: int, precision: str = "f32") -> Bind:
    engine.set_compute_threads(threads)
    model = engine.load_model(network.message(), weights_precision=precision)

    def bind(x: Array) -> dict[str, Call]:
        return {"infer": lambda: model.infer(x)}

    return bind


def _load_bf16(network: Network, threads: int) -> Bind:
    return _load(network, threads, "bf16")


_VERSION = importlib.metadata.version("numbatch")

CONTENDERS = (
    Contender("numbatch", _VERSION, _load),
    # The same kernels with half the bytes to read: worth having where weights are read once, that is for one row.
    Contender("numbatch_bf16", _VERSION, _load_bf16, counts=False, batch_one_only=True),
)
