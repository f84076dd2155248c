"""PyTorch on arrays shared with NumPy, in four variants: eager, frozen, packed for oneDNN, compiled.

Which is fastest depends on the processor and the batch: eager calls MKL, which packs the weights on every call.
"""

import copy
import functools
import warnings

import numpy as np
import torch
import torch._inductor.config
from torch.utils import mkldnn

from benchmarks.contenders import Bind, Call, Contender
from benchmarks.grid import Array, Network


def _load(network: Network, threads: int) -> Bind:
    torch.set_num_threads(threads)
    _inference_mode()
    modules: list[torch.nn.Module] = []
    for kernel, bias in network.weights():
        linear = torch.nn.Linear(*kernel.shape)
        linear.weight.data = torch.from_numpy(np.ascontiguousarray(kernel.T))
        linear.bias.data = torch.from_numpy(bias)
        modules += [linear, torch.nn.ReLU()]
    eager = torch.nn.Sequential(*modules).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of deprecations: frozen modules are still the fastest for few rows
        frozen = torch.jit.freeze(torch.jit.trace(eager, torch.from_numpy(network.batch(2))))
        frozen = torch.jit.optimize_for_inference(frozen)
        packed = mkldnn.to_mkldnn(copy.deepcopy(eager))
    torch._dynamo.reset()  # it compiles a module class anew for a limited number of shapes only
    torch._inductor.config.freezing = True
    compiled = torch.compile(eager)

    def bind(x: Array) -> dict[str, Call]:
        calls: dict[str, Call] = {
            "eager": lambda: eager(torch.from_numpy(x)).numpy(),
            "frozen": lambda: frozen(torch.from_numpy(x)).numpy(),
            "mkldnn": lambda: packed(torch.from_numpy(x).to_mkldnn()).to_dense().numpy(),
            "compile": lambda: compiled(torch.from_numpy(x)).numpy(),
        }
        try:
            calls["compile"]()
        except Exception as failed:  # it needs a C++ compiler, and finding none raises one thing or another
            _report(f"{type(failed).__name__}: {failed}".splitlines()[0])
            del calls["compile"]
        return calls

    return bind


@functools.cache
def _inference_mode() -> torch.inference_mode:
    """Enter inference mode for good, as a service's thread would once and not on every call."""
    mode = torch.inference_mode()
    mode.__enter__()
    return mode  # it ends with the object


@functools.cache
def _report(reason: str) -> None:
    print(f"torch.compile is left out: {reason}")


CONTENDERS = (Contender("pytorch", torch.__version__, _load),)
