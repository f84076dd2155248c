"""Ray Serve's application: the networks in ONNX Runtime behind Serve's gRPC. Runs in Ray's own environment.

    ray_app.py PORT REPLICAS NAME=FILE.onnx...

The message is a BytesValue in both directions: to it, the network's name and the number of rows, a line each, and the
numbers; from it, the number of rows, a line, and the numbers.
"""

import signal
import sys

import grpc
import numpy as np
import onnxruntime
import ray
from google.protobuf.wrappers_pb2 import BytesValue
from ray import serve
from ray.serve.config import gRPCOptions


def add_to_server(servicer: object, server: grpc.Server) -> None:
    """Do what a generated `add_..._to_server` does, for the one method."""
    handler = grpc.unary_unary_rpc_method_handler(
        getattr(servicer, "Infer", None),
        request_deserializer=BytesValue.FromString,
        response_serializer=BytesValue.SerializeToString,
    )
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("bench.Inference", {"Infer": handler}),))


@serve.deployment(max_ongoing_requests=1000)
class Networks:
    """All networks."""

    def __init__(self, files: dict[str, str]) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._sessions = {name: onnxruntime.InferenceSession(file, options) for name, file in files.items()}

    async def Infer(self, message: BytesValue) -> BytesValue:
        """Answer one request."""
        name, rows, numbers = message.value.split(b"\n", 2)
        x = np.frombuffer(numbers, np.float32).reshape(int(rows), -1)
        (y,) = self._sessions[name.decode()].run(None, {"x": x})
        return BytesValue(value=b"%d\n" % len(y) + y.tobytes())


def main() -> None:
    """Serve until SIGTERM."""
    port, http_port, replicas, *named = sys.argv[1:]
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, _node_ip_address="127.0.0.1")
    serve.start(
        grpc_options=gRPCOptions(port=int(port), grpc_servicer_functions=["ray_app.add_to_server"]),
        http_options={"host": "127.0.0.1", "port": int(http_port)},
    )
    files = dict(pair.split("=", 1) for pair in named)
    options = {"num_replicas": int(replicas), "ray_actor_options": {"num_cpus": 0.5}}
    serve.run(Networks.options(**options).bind(files), route_prefix="/")
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    serve.shutdown()
    ray.shutdown()


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    main()
