"""What Ray Serve's application speaks, as numbatch.loadtest takes it: see servers/ray_app.py."""

import numpy as np
from google.protobuf.message import DecodeError
from google.protobuf.wrappers_pb2 import BytesValue

from benchmarks.service.cases import NETWORKS
from numbatch.loadtest.protocol import Answer, Arrays, Call, Model, Tensor

INPUT, OUTPUT = "x", "y"


class RayServe:
    """Speaks it."""

    infer_method = "/bench.Inference/Infer"
    stream_method = ""

    def describe(self, call: Call, model: str, version: int) -> Model:
        """Return what is known of a network: there is nobody to be asked."""
        widths = next(network.widths for network in NETWORKS if network.name == model)
        ends = (Tensor(name, "float32", (width,)) for name, width in ((INPUT, widths[0]), (OUTPUT, widths[-1])))
        return Model(model, None, (next(ends),), (next(ends),))

    def request(self, model: str, version: int, arrays: Arrays, *, streamed: bool) -> bytes:
        """Return the bytes of a request."""
        x = arrays[INPUT]
        return BytesValue(value=f"{model}\n{len(x)}\n".encode() + x.tobytes()).SerializeToString()

    def answer(self, data: bytes, *, streamed: bool) -> Answer:
        """Take the bytes of an answer apart."""
        try:
            rows, _, numbers = BytesValue.FromString(data).value.partition(b"\n")
        except DecodeError as broken:
            raise ValueError("not an answer") from broken
        return Answer("", {OUTPUT: np.frombuffer(numbers, "<f4").reshape(int(rows), -1)})


PROTOCOL = RayServe()
