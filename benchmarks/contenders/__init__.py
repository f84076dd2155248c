"""Those that are compared: one file each, which says how its users get the network fastest.

A contender loads a network for a number of threads and then binds it to a batch. Binding gives one or more variants,
calls without arguments that compute the network on that batch; the fastest variant stands for the contender.
"""

import importlib
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, TypeAlias

from benchmarks.grid import Array, Network

Call: TypeAlias = Callable[[], Array]
Bind: TypeAlias = Callable[[Array], Mapping[str, Call]]


class Contender(NamedTuple):
    """One that is compared.

    Attributes
    ----------
    name : str
        As it is reported.
    version : str
        Of its library.
    load : callable
        Network and thread count to `Bind`. May set the number of threads of the whole process.
    counts : bool
        Whether it computes in float32, so that its time counts in the ratio.
    batch_one_only : bool
        Whether it is measured with one row only.
    """

    name: str
    version: str
    load: Callable[[Network, int], Bind]
    counts: bool = True
    batch_one_only: bool = False


PEERS = ("onnxruntime", "pytorch", "openvino", "openvino_default", "numpy")
_MODULES = {"openvino_default": "openvino", "numbatch_bf16": "numbatch"}


def contenders(names: Iterable[str]) -> list[Contender]:
    """Return those of these names whose libraries are installed; report the others."""
    found = []
    for name in names:
        module = _MODULES.get(name, name)
        try:
            candidates = importlib.import_module(f"benchmarks.contenders.{module}").CONTENDERS
        except ImportError as missing:
            print(f"{name} is left out: {missing}")
            continue
        found += [candidate for candidate in candidates if candidate.name == name]
    return found
