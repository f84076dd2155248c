"""Generate the Python stubs beside their .proto files, or check that those there are current.

The generator is grpcio-tools, pinned to an old version on purpose: generated code runs on runtimes as old as its
generator and no older, so the pin is the floor of what users must have.

The package of a .proto file is its folder, and that of its stubs the same, but for the Open Inference Protocol: its
names are not ours, so its stubs are in a package and in a descriptor pool of numbatch.
"""

import argparse
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

PROTO = Path(__file__).resolve().parent.parent / "proto"
PATTERNS = ("*_pb2.py", "*_pb2.pyi")

# The folder of others' names, and that of the stubs.
OTHERS, OURS = "inference", "numbatch/oip"


def generate(root: Path, out: Path) -> None:
    """Write the stubs of every .proto file under `root` into the same folders under `out`."""
    files = sorted(str(path.relative_to(root)) for path in root.rglob("*.proto"))
    options = [f"--proto_path={root}", f"--python_out={out}", f"--pyi_out={out}"]
    subprocess.run([sys.executable, "-m", "grpc_tools.protoc", *options, *files], check=True)
    if (root / OTHERS).is_dir():
        _adopt(out / OTHERS, out / OURS)


def drift(root: Path) -> Iterator[str]:
    """Say what the stubs under `root` differ in from those that its .proto files give."""
    with TemporaryDirectory() as folder:
        generate(root, Path(folder))
        fresh, committed = _stubs(Path(folder)), _stubs(root)
    for name in sorted(fresh.keys() | committed.keys()):
        if name not in committed:
            yield f"{name} is missing"
        elif name not in fresh:
            yield f"{name} has no .proto file"
        elif fresh[name] != committed[name]:
            yield f"{name} is not what its .proto file gives"


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if a stub is not current")
    parser.add_argument("--root", type=Path, default=PROTO, help="the folder of the .proto files")
    arguments = parser.parse_args()
    if not arguments.check:
        generate(arguments.root, arguments.root)
        return 0
    problems = list(drift(arguments.root))
    for problem in problems:
        print(problem, file=sys.stderr)
    if problems:
        print("make proto generates the stubs anew", file=sys.stderr)
    return 1 if problems else 0


def _adopt(others: Path, ours: Path) -> None:
    """Move stubs to another package, and their messages out of the pool that all stubs share."""
    package = OURS.replace("/", ".")
    ours.mkdir(parents=True, exist_ok=True)
    for path in [path for pattern in PATTERNS for path in others.glob(pattern)]:
        text = path.read_text()
        text = text.replace(f"from {OTHERS} import", f"from {package} import")
        text = text.replace(f"'{OTHERS}.{path.stem}'", f"'{package}.{path.stem}'")
        text = text.replace(
            "from google.protobuf import descriptor_pool as _descriptor_pool", f"from {package} import pool as _pool"
        )
        text = text.replace("_descriptor_pool.Default()", "_pool.POOL")
        (ours / path.name).write_text(text)
        path.unlink()


def _stubs(root: Path) -> dict[str, bytes]:
    paths = (path for pattern in PATTERNS for path in root.rglob(pattern))
    return {str(path.relative_to(root)): path.read_bytes() for path in paths}


if __name__ == "__main__":
    sys.exit(main())
