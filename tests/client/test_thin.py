"""The client needs grpcio, protobuf and numpy, and nothing else."""

import subprocess
import sys
from pathlib import Path

BLOCKING = """
import sys

BLOCKED = {blocked!r}
SERVER = ("numbatch.batching", "numbatch.cli", "numbatch.engine", "numbatch.kernels", "numbatch.serving")

class Missing:
    def find_spec(self, name, path=None, target=None):
        server = ("numbatch.kernels", "numbatch.engine", "numbatch.serving")
        if name.split(".")[0] in {blocked!r} or name.startswith(server):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Missing())
"""

CLIENT = """
import numbatch.client
try:
    numbatch.client.Client("127.0.0.1:1", timeout=5).infer("digits", [[1.0]])
except numbatch.client.UnavailableError as unreachable:
    print(unreachable.reason)
"""

MODELS = """
from numbatch.models import Dense, Input, Sequential
model = Sequential([Input((1000,)), Dense(300, "relu"), Dense(10, "softmax")], seed=1)
print(*sorted(path.name for path in model.save(sys.argv[1] + "/net").iterdir()))
"""

# All that the extras and the development environment bring.
BLOCKED = {
    "click", "google.rpc", "grpc_health", "grpc_reflection", "grpc_status", "hypothesis", "llvmlite", "numba", "rich",
    "safetensors", "scipy", "sklearn", "uvloop",
}  # fmt: skip


def said(program: str, *arguments: str) -> str:
    program = BLOCKING.replace("{blocked!r}", repr(BLOCKED)) + program
    command = [sys.executable, "-c", program, *arguments]
    result = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_the_client_works_where_only_its_three_dependencies_are() -> None:
    assert said(CLIENT) == "SERVER_UNREACHABLE\n"


def test_models_are_built_and_saved_there_too(tmp_path: Path) -> None:
    assert said(MODELS, str(tmp_path)) == "model.binpb weights.safetensors\n"
