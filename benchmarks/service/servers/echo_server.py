"""A server that does nothing: the same bytes for each request of a known length.

echo_server.py PORT SHARED ANSWERS.json: SHARED 1 lets several processes listen on the port.
"""

import asyncio
import contextlib
import json
import signal
import sys
from pathlib import Path

import grpc
import uvloop

from numbatch.serving.config import ServerConfig
from numbatch.serving.rpc.settings import server_options
from numbatch.v1.repository_pb2 import GetModelRequest


async def serve(port: int, shared: int, answers: dict[str, dict[str, str]]) -> None:
    """Serve until SIGTERM."""
    to_calls, to_streams = (
        {int(length): bytes.fromhex(answer) for length, answer in answers[method].items()}
        for method in ("Infer", "StreamInfer")
    )

    async def unary(request: bytes, _: object) -> bytes:
        return to_calls[len(request)]

    async def stream(_: object, context: grpc.aio.ServicerContext) -> None:
        while (request := await context.read()) is not grpc.aio.EOF:
            await context.write(to_streams[len(request)])

    async def get_model(request: bytes, _: object) -> bytes:
        return bytes.fromhex(answers["GetModel"][GetModelRequest.FromString(request).model_name])

    services = {
        "numbatch.v1.InferenceService": {
            "Infer": grpc.unary_unary_rpc_method_handler(unary),
            "StreamInfer": grpc.stream_stream_rpc_method_handler(stream),
        },
        "numbatch.v1.ModelRepositoryService": {"GetModel": grpc.unary_unary_rpc_method_handler(get_model)},
    }
    options = [option for option in server_options(ServerConfig()) if option[0] != "grpc.so_reuseport"]
    server = grpc.aio.server(options=[*options, ("grpc.so_reuseport", shared)])
    server.add_generic_rpc_handlers(
        tuple(grpc.method_handlers_generic_handler(name, methods) for name, methods in services.items())
    )
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    await stopping.wait()
    await server.stop(0)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(int(sys.argv[1]), int(sys.argv[2]), json.loads(Path(sys.argv[3]).read_text())))
