"""ONNX Runtime's CPU provider: `run` (arrays in, new arrays out), and the same with input and output bound once."""

import numpy as np
import onnxruntime

from benchmarks.contenders import Bind, Call, Contender
from benchmarks.contenders.onnx_graph import INPUT, OUTPUT, onnx_bytes
from benchmarks.grid import Array, Network


def _load(network: Network, threads: int) -> Bind:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Spinning makes two threads faster; whoever's turn comes next waits for it to end (timing.py).
    options.add_session_config_entry("session.intra_op.allow_spinning", "1" if threads > 1 else "0")
    session = onnxruntime.InferenceSession(onnx_bytes(network), options, providers=["CPUExecutionProvider"])

    def bind(x: Array) -> dict[str, Call]:
        out = np.empty((len(x), network.widths[-1]), np.float32)
        binding = session.io_binding()
        binding.bind_cpu_input(INPUT, x)
        binding.bind_output(OUTPUT, "cpu", 0, np.float32, out.shape, out.ctypes.data)

        def bound() -> Array:
            session.run_with_iobinding(binding)
            return out

        return {"run": lambda: session.run(None, {INPUT: x})[0], "io_binding": bound}

    return bind


CONTENDERS = (Contender("onnxruntime", onnxruntime.__version__, _load),)
