"""A server that does nothing: bytes of a constant length for a request of a known length.

echo_server.py PORT SHARED LENGTHS.json: SHARED 1 lets several processes listen on the port.
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


async def serve(port: int, shared: int, answers: dict[int, bytes]) -> None:
    """Serve until SIGTERM."""

    async def unary(request: bytes, _: object) -> bytes:
        return answers[len(request)]

    async def stream(_: object, context: grpc.aio.ServicerContext) -> None:
        while (request := await context.read()) is not grpc.aio.EOF:
            await context.write(answers[len(request)])

    methods = {
        "Infer": grpc.unary_unary_rpc_method_handler(unary),
        "StreamInfer": grpc.stream_stream_rpc_method_handler(stream),
    }
    options = [option for option in server_options(ServerConfig()) if option[0] != "grpc.so_reuseport"]
    server = grpc.aio.server(options=[*options, ("grpc.so_reuseport", shared)])
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("numbatch.v1.InferenceService", methods),))
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    await stopping.wait()
    await server.stop(0)


if __name__ == "__main__":
    lengths = json.loads(Path(sys.argv[3]).read_text())
    with contextlib.suppress(KeyboardInterrupt), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(
            serve(int(sys.argv[1]), int(sys.argv[2]), {int(size): bytes(length) for size, length in lengths.items()})
        )
