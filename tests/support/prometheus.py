"""Prometheus itself, where it is installed (Debian's package `prometheus`)."""

import json
import shutil
import subprocess
import time
import urllib.parse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from support.http import get
from support.ports import free_port

PROMETHEUS, PROMTOOL = shutil.which("prometheus"), shutil.which("promtool")
MISSING = "Prometheus is not installed (Debian: prometheus)"

_START_S = 20.0


@dataclass(frozen=True)
class Prometheus:
    """One that runs: where it answers."""

    address: str

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the series that an expression gives now: `metric` and `value`, the latter as a number."""
        told = self._get("/api/v1/query?" + urllib.parse.urlencode({"query": expression}))
        if told["resultType"] != "vector":
            raise AssertionError(f"{expression}: {told}")
        return [{**series, "value": float(series["value"][1])} for series in told["result"]]

    def rules(self) -> list[str]:
        """Return the names of the rules that it follows."""
        return [rule["name"] for group in self._get("/api/v1/rules")["groups"] for rule in group["rules"]]

    def _get(self, path: str) -> dict[str, Any]:
        answer = json.loads(get(self.address, path).text)
        assert answer["status"] == "success", answer
        data: dict[str, Any] = answer["data"]
        return data


@contextmanager
def prometheus(config: Path, addresses: Sequence[str], folder: Path, interval: str = "1s") -> Iterator[Prometheus]:
    """Run Prometheus with a configuration whose jobs look at these addresses instead, every so often."""
    assert PROMETHEUS is not None
    told = yaml.safe_load(config.read_text())
    told["global"] = {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": interval}
    told["rule_files"] = [str(config.parent / file) for file in told["rule_files"]]
    for job in told["scrape_configs"]:
        del job["dns_sd_configs"]
        job["static_configs"] = [{"targets": list(addresses)}]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(told))
    address = f"127.0.0.1:{free_port()}"
    command = [PROMETHEUS, f"--config.file={folder / 'prometheus.yml'}", f"--web.listen-address={address}"]
    command.append(f"--storage.tsdb.path={folder / 'tsdb'}")
    log = folder / "prometheus.log"
    with log.open("w") as written, subprocess.Popen(command, stdout=written, stderr=subprocess.STDOUT) as process:
        try:
            yield Prometheus(_ready(address, process, log))
        finally:
            process.terminate()


def _ready(address: str, process: subprocess.Popen[bytes], log: Path) -> str:
    until = time.monotonic() + _START_S
    while time.monotonic() < until and process.poll() is None:
        try:
            if get(address, "/-/ready").status == 200:
                return address
        except OSError:
            pass  # it does not listen yet
        time.sleep(0.02)  # a program of others, which only answers when it is asked
    raise AssertionError(log.read_text())
