"""The client needs grpcio, protobuf and numpy, and nothing else."""

import subprocess
import sys

PROGRAM = """
import sys

BLOCKED = {blocked!r}
SERVER = ("numbatch.batching", "numbatch.cli", "numbatch.engine", "numbatch.kernels", "numbatch.serving")

class Missing:
    def find_spec(self, name, path=None, target=None):
        server = ("numbatch.kernels", "numbatch.engine", "numbatch.serving")
        if name.split(".")[0] in {blocked!r} or name.startswith(server):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Missing())
import numbatch.client
try:
    numbatch.client.Client("127.0.0.1:1", timeout=5).infer("digits", [[1.0]])
except numbatch.client.UnavailableError as unreachable:
    print(unreachable.reason)
"""

# All that the extras and the development environment bring.
BLOCKED = {
    "click", "google.rpc", "grpc_health", "grpc_reflection", "grpc_status", "hypothesis", "llvmlite", "numba", "rich",
    "safetensors", "scipy", "sklearn", "uvloop",
}  # fmt: skip


def test_the_client_works_where_only_its_three_dependencies_are() -> None:
    program = PROGRAM.replace("{blocked!r}", repr(BLOCKED))
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=50, check=False)
    assert (result.stdout, result.returncode) == ("SERVER_UNREACHABLE\n", 0), result.stderr
