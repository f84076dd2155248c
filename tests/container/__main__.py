"""`make test-container`: the image and docker-compose.yml with a real Docker daemon.

Each step prints what it found, and the exit code is 1 if one fails. Where no daemon runs, root gets one of its own for
the run; where the base image cannot be pulled, one is made with debootstrap. What takes long is kept in a folder.
"""

import argparse
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from container import base
from container.callers import CALLERS, clients, plain_callers
from container.docker import Docker, Failed, daemon
from numbatch.client import Client
from numbatch.engine import load_model
from numbatch.kernels.levels import levels_of, processor_flags
from numbatch.loadtest import Results
from support.project import ROOT

_PORTS = {"NUMBATCH_PORT": "18001", "NUMBATCH_HTTP_PORT": "18002"}
_SERVER = "127.0.0.1:18001"
_LOAD = "digits --rate 200 --duration 5"
_PROJECT = "numbatch-test"
_CONFINED = ("--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--pids-limit=1024")
_MOST_BYTES = {"numbatch": 350e6, "numbatch-client": 150e6}
_READY_S = 3.0

# What a process inside may do, as it sees it.
_LOOK = """
import os
status = dict(line.split(":", 1) for line in open("/proc/1/status").read().splitlines())
def write(path):
    try:
        open(path, "w").close()
    except OSError as refused:
        return refused.strerror
    return "written"
print(os.getuid(), status["CapEff"].strip(), status["NoNewPrivs"].strip(), sep="|", end="|")
print(write("/x"), write("/var/cache/numbatch/x"), write("/tmp/x"), os.path.exists("/bin/sh"), sep="|")
"""


class Run:
    """The steps, in their order."""

    def __init__(self, docker: Docker, base_image: str) -> None:
        self.docker = docker
        self.base = base_image
        heldout = np.load(ROOT / "models/digits/heldout.npz")
        self.x = heldout[heldout.files[0]][:32]
        self.expected = load_model(ROOT / "models/digits/1").infer(self.x)
        self.containers: list[str] = []

    def steps(self) -> list[tuple[str, Callable[[], str]]]:
        """Return what is done, by what is said of it."""
        levels = [*levels_of(processor_flags())]
        return [
            ("both images are built", self.build),
            ("sizes", self.sizes),
            ("docker compose up", self.up),
            ("healthy, confined, and nothing can be written", self.confined),
            ("infer from outside: the bits of the engine here", self.infer),
            ("load test from outside", self.load),
            ("load test by its service of docker-compose.yml", self.load_inside),
            ("docker compose stop under load", self.stop),
            *((f"start to ready with kernels for {level}", lambda level=level: self.start(level)) for level in levels),
            ("as a user that it never heard of", self.anybody),
            ("one of two servers is stopped under load", self.rolling),
            ("one of two workers is killed under load", self.kill),
            ("a model beyond the memory limit", self.memory),
        ]

    def build(self) -> str:
        started = time.monotonic()
        for tag, target in (("numbatch", "server"), ("numbatch-client", "client")):
            file = ROOT / "server/Dockerfile"
            arguments = ["--network=host", f"--build-arg=BASE={self.base}", f"--target={target}", f"--tag={tag}"]
            self.docker("build", *arguments, f"--file={file}", ROOT)
        return f"on {self.base} in {time.monotonic() - started:.0f} s"

    def sizes(self) -> str:
        sizes = {tag: self.docker.inspect(tag)["Size"] for tag in _MOST_BYTES}
        for tag, size in sizes.items():
            _check(size <= _MOST_BYTES[tag], f"{tag} has {size / 1e6:.0f} MB, of {_MOST_BYTES[tag] / 1e6:.0f}")
        return ", ".join(f"{tag} {size / 1e6:.0f} MB" for tag, size in sizes.items())

    def compose(self, *arguments: str, check: bool = True) -> str:
        file = f"--file={ROOT / 'docker-compose.yml'}"
        variables = {**_PORTS, "LOADTEST": _LOAD}
        return self.docker(
            "compose",
            f"--project-name={_PROJECT}",
            file,
            *arguments,
            check=check,
            errors=not check,
            variables=variables,
        )

    def up(self) -> str:
        started = time.monotonic()
        self.compose("up", "--detach", "--wait", "--no-build", "numbatch")
        waited = time.monotonic() - started
        self.server = self.compose("ps", "--quiet", "numbatch")
        return f"healthy after {waited:.1f} s, ready {self.seconds_to_ready(self.server):.2f} s after its start"

    def confined(self) -> str:
        health = self.docker("exec", self.server, "numbatch", "health", "digits")
        looked = self.docker("exec", self.server, "python", "-c", _LOOK)
        uid, capabilities, no_new, *written, shell = looked.split("|")
        _check(int(uid) > 0 and int(capabilities, 16) == 0 and no_new == "1", looked)
        _check(written == ["Read-only file system"] * 2 + ["written"] and shell == "False", looked)
        host = self.docker.inspect(self.server)["HostConfig"]
        _check(host["ReadonlyRootfs"] and host["Memory"] == 2**30 and host["PidsLimit"] == 1024, str(host))
        return f"{health}; user {uid}, no capabilities, no new privileges, no shell; limit {host['Memory'] >> 20} MiB"

    def infer(self) -> str:
        with Client(_SERVER) as client:
            layers = client.infer("digits", self.x, layers=["hidden_1", "probabilities"])
            _check(np.array_equal(layers["probabilities"], self.expected), "other bits than the engine's")
        return f"{len(self.x)} rows"

    def load(self) -> str:
        with TemporaryDirectory() as folder:
            file = Path(folder, "results.json")
            options = [f"--server={_SERVER}", *_LOAD.split()[1:], "--quiet", f"--json={file}"]
            program = [sys.executable, "-m", "numbatch.cli", "loadtest", "digits", *options]
            ran = subprocess.run(program, capture_output=True, text=True, check=False)
            _check(file.exists(), ran.stderr)
            return _figures(file.read_text())

    def load_inside(self) -> str:
        service = ("--profile=loadtest", "run", "--rm", "--no-deps", "--no-TTY")
        said = self.compose(*service, "loadtest", check=False)
        read = "import pathlib; print(pathlib.Path('loadtest.json').read_text(), pathlib.Path('loadtest.html').stat())"
        found = self.compose(*service, "--entrypoint=python", "loadtest", "-c", read, check=False)
        results, report, _ = found.partition("os.stat_result")
        _check(bool(report), said + found)
        return _figures(results)

    def stop(self) -> str:
        with plain_callers(_SERVER, self.x, self.expected) as tally:
            tally.wait_answered(200)
            took = _timed(lambda: self.compose("stop", "numbatch"))
        state = self.docker.inspect(self.server)["State"]
        _check(not tally.failures, str(tally.failures))
        _check(state["ExitCode"] == 0 and not state["OOMKilled"], str(state))
        self.compose("--profile=loadtest", "down", "--volumes")
        return f"in {took:.1f} s, exit code 0; accepted requests that failed: 0 ({_listed(tally.counts)})"

    def start(self, level: str) -> str:
        seconds = []
        for _ in range(3):
            name = self.run(f"--env=NUMBATCH_CPU_LEVEL={level}")
            seconds.append(self.seconds_to_ready(name))
            log = self.docker("logs", name, errors=True)
            _check(log.count("taken from the cache") == 2 and "WARNING" not in log, log)
            self.remove(name)
        _check(min(seconds) < _READY_S, f"{seconds}, of {_READY_S}")
        return ", ".join(f"{one:.2f}" for one in seconds) + " s"

    def anybody(self) -> str:
        name = self.run("--user=1000660000:0")
        ready = self.seconds_to_ready(name)
        log = self.docker("logs", name, errors=True)
        _check(log.count("taken from the cache") == 2 and "WARNING" not in log, log)
        self.remove(name)
        return f"ready after {ready:.2f} s"

    def rolling(self) -> str:
        first, second = self.run(port=18003), self.run(port=18004)
        for name in (first, second):
            self.seconds_to_ready(name)
        with clients(["127.0.0.1:18003", "127.0.0.1:18004"], self.x, self.expected) as tally:
            tally.wait_answered(200)
            self.docker("stop", "--time=40", first)
            tally.wait_answered(200)
            self.docker("start", first)
            self.seconds_to_ready(first)
            # As whoever replaces servers one by one waits a moment: clients look for a lost one every other second.
            took = _timed(lambda: _until(lambda: self.connections(first) >= CALLERS))
            tally.wait_answered(200)
            self.docker("stop", "--time=40", second)
            tally.wait_answered(200)
        _check(not tally.failures, str(tally.failures))
        for name in (first, second):
            self.remove(name)
        return (
            f"started again, used again {took:.1f} s after it was ready, and the other stopped: calls that failed: 0 "
            f"({_listed(tally.counts)})"
        )

    def kill(self) -> str:
        name = self.run("--shm-size=256m", arguments=("--workers=2",), port=18005)
        self.seconds_to_ready(name)
        with clients(["127.0.0.1:18005"], self.x, self.expected) as tally:
            tally.wait_answered(200)
            before = self.workers(name)
            _check(len(before) == 2, f"workers: {before}")
            self.docker("exec", name, "python", "-c", f"import os; os.kill({before[0]}, 9)")
            tally.wait_answered(200)
            took = _timed(lambda: _until(lambda: len(set(self.workers(name)) - set(before)) == 1))
            tally.wait_answered(200)
        health = self.docker("exec", name, "numbatch", "health")
        took_to_stop = _timed(lambda: self.docker("stop", "--time=40", name))
        state = self.docker.inspect(name)["State"]
        _check(state["ExitCode"] == 0, str(state) + self.docker("logs", name, errors=True))
        _check(not tally.failures, str(tally.failures))
        self.remove(name)
        return (
            f"another in its place after {took:.1f} s; {health}; calls that failed: 0 ({_listed(tally.counts)}); "
            f"stopped in {took_to_stop:.1f} s"
        )

    def memory(self) -> str:
        volume = f"{_PROJECT}-large"
        model = "m.Sequential([m.Input((4096,)), m.Dense(16384)], name='large', seed=1)"
        self.docker("volume", "create", volume)
        try:
            make = ["--user=0", f"--volume={volume}:/made", "--entrypoint=python", "numbatch", "-c"]
            self.docker("run", "--rm", *make, f"import numbatch.models as m; {model}.save('/made/large')")
            name = self.run("--memory=384m", "--memory-swap=384m", f"--volume={volume}:/models:ro", models=False)
            ready = self.seconds_to_ready(name)
            log = self.docker("logs", name, errors=True)
            state = self.docker.inspect(name)["State"]
            _check("MEMORY_LIMIT" in log and state["Running"] and not state["OOMKilled"], f"{state}\n{log}")
            used = self.docker("stats", "--no-stream", "--format={{.MemUsage}}", name)
            self.remove(name)
        finally:
            self.docker("volume", "rm", volume, check=False)
        return f"of 268 MB is refused in 384 MiB (ready after {ready:.2f} s), and the server stays: {used}"

    def run(self, *options: str, arguments: tuple[str, ...] = (), port: int = 0, models: bool = True) -> str:
        """Start a container of the server; return its name."""
        name = f"{_PROJECT}-{len(self.containers)}"
        self.containers.append(name)
        published = [f"--publish=127.0.0.1:{port}:8001"] if port else []
        mounted = [f"--volume={ROOT / 'models'}:/models:ro"] if models else []
        served = ["serve", "--model-repository=/models", "--listen=0.0.0.0:8001", "--http-listen=0.0.0.0:8002"]
        self.docker(
            *("run", "--detach", f"--name={name}", *_CONFINED, *published, *mounted, *options),
            *("numbatch", *served, *arguments),
        )
        return name

    def remove(self, name: str) -> None:
        self.docker("rm", "--force", "--volumes", name)

    def seconds_to_ready(self, name: str) -> float:
        """Wait until a container says that it is ready; return how long it took since it was started last."""
        started = _instant(self.docker.inspect(name)["State"]["StartedAt"])
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            log = self.docker("logs", "--timestamps", name, errors=True)
            said = [_instant(line.split()[0]) for line in log.splitlines() if " numbatch ready on " in line]
            if said and said[-1] > started:
                return said[-1] - started
            time.sleep(0.1)
        raise Failed(f"{name} is not ready: {self.docker('logs', name, errors=True)[-2000:]}")

    def workers(self, name: str) -> list[int]:
        """Return the processes of the workers, as the container numbers them."""
        script = (
            "import os\n"
            "for p in filter(str.isdigit, os.listdir('/proc')):\n"
            "    parts = open(f'/proc/{p}/cmdline').read().split(chr(0))\n"
            "    if 'numbatch.serving.workers.worker' in parts: print(p)"
        )
        return sorted(int(line) for line in self.docker("exec", name, "python", "-c", script).split())

    def connections(self, name: str) -> float:
        """Return how many clients a server has, as it says itself."""
        script = "from urllib.request import urlopen; print(urlopen('http://127.0.0.1:8002/metrics').read().decode())"
        page = self.docker("exec", name, "python", "-c", script)
        return float(re.findall(r"^numbatch_connections (\S+)$", page, re.MULTILINE)[0])

    def clean(self) -> None:
        """Remove what is left over."""
        for name in self.containers:
            self.docker("rm", "--force", "--volumes", name, check=False)
        self.compose("--profile=loadtest", "down", "--volumes", "--timeout=5")


def _check(holds: bool, otherwise: str) -> None:
    if not holds:
        raise Failed(otherwise)


def _timed(action: Callable[[], object]) -> float:
    started = time.monotonic()
    action()
    return time.monotonic() - started


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        _check(time.monotonic() < deadline, "it did not come within a minute")
        time.sleep(0.1)


def _instant(text: str) -> float:
    """Return a time as Docker writes it, with nanoseconds, in seconds."""
    moment, fraction = re.fullmatch(r"(\S+?)(\.\d+)?Z", text).groups()  # type: ignore[union-attr]
    return time.mktime(time.strptime(moment, "%Y-%m-%dT%H:%M:%S")) + float(fraction or 0)


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items()))


def _figures(results: str) -> str:
    (step,) = Results.from_json(json.loads(results)).steps
    _check(step.outcomes.ok == step.sent, f"{step.outcomes} of {step.sent}")
    p50, p99 = (step.latency_us.percentiles[name] / 1000 for name in ("p50", "p99"))
    return f"{step.requests_per_s:.0f}/s, p50 {p50:.2f} ms, p99 {p99:.2f} ms, all {step.sent} right"


def main() -> int:
    """Run all steps and return the exit code."""
    parser = argparse.ArgumentParser(prog="container", description=__doc__)
    folder = Path("/var/tmp/numbatch-container")
    parser.add_argument("--folder", type=Path, default=folder, help=f"what takes long is kept there ({folder})")
    chosen = parser.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    try:
        with daemon(chosen.folder) as docker:
            base.plugins(docker, chosen.folder)
            run = Run(docker, base.base_image(docker, chosen.folder))
            try:
                for name, step in run.steps():
                    print(f"{name}: {step()}", flush=True)
            finally:
                run.clean()
    except Failed as failed:
        print(f"FAILED: {failed}", file=sys.stderr)
        return 1
    print("all of it works")
    return 0


if __name__ == "__main__":
    sys.exit(main())
