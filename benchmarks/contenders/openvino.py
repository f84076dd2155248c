"""OpenVINO's CPU device, compiled for each batch: `infer` with shared arrays, and with input and output set once.

Twice: in float32, and with the precision that it chooses by itself, bf16 where the processor has dot products for it.
"""

import functools
from typing import Any

import openvino

from benchmarks.contenders import Bind, Call, Contender
from benchmarks.contenders.onnx_graph import onnx_bytes
from benchmarks.grid import Array, Network


def _load(network: Network, threads: int, precision: dict[str, str]) -> Bind:
    core, onnx = _core(), onnx_bytes(network)
    options: dict[str, Any] = {
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        "PERFORMANCE_HINT": "LATENCY",
        "ENABLE_CPU_PINNING": False,  # made no difference, and the calling thread serves the other contenders too
    }

    def bind(x: Array) -> dict[str, Call]:
        model = core.read_model(onnx)
        model.reshape(x.shape)  # a fixed batch: up to a third faster than any number of rows where rows are few
        compiled = core.compile_model(model, "CPU", options | precision)
        once, each = compiled.create_infer_request(), compiled.create_infer_request()
        once.set_input_tensor(openvino.Tensor(x, shared_memory=True))

        def bound() -> Array:
            once.infer()
            output: Array = once.get_output_tensor().data
            return output

        return {"infer": lambda: each.infer([x], share_inputs=True, share_outputs=True)[0], "bound": bound}

    return bind


@functools.cache
def _core() -> openvino.Core:
    return openvino.Core()


CONTENDERS = (
    Contender(
        "openvino",
        openvino.__version__,
        functools.partial(_load, precision={"INFERENCE_PRECISION_HINT": "f32"}),
    ),
    Contender("openvino_default", openvino.__version__, functools.partial(_load, precision={}), counts=False),
)
