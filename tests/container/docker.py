"""Docker's command line, with a daemon that was there or that is started for the run."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class Failed(Exception):
    """Something is not as it has to be; the text says what."""


class Docker:
    """The command line.

    Parameters
    ----------
    environment : dict
        What it is given beyond that of this process: DOCKER_HOST, DOCKER_CONFIG.
    """

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = {**os.environ, "DOCKER_BUILDKIT": "1", **environment}

    def __call__(
        self, *arguments: object, check: bool = True, errors: bool = False, variables: Mapping[str, str] | None = None
    ) -> str:
        """Run a command and return what it prints; `errors`: also to standard error."""
        ran = subprocess.run(
            ["docker", *map(str, arguments)],
            env={**self.environment, **(variables or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if errors else subprocess.PIPE,
            text=True,
            check=False,
        )
        if check and ran.returncode:
            raise Failed(f"docker {' '.join(map(str, arguments))}: {(ran.stderr or ran.stdout)[-3000:]}")
        return ran.stdout.strip()

    def works(self, *arguments: object) -> bool:
        """Tell whether a command succeeds."""
        ran = subprocess.run(["docker", *map(str, arguments)], env=self.environment, capture_output=True, check=False)
        return ran.returncode == 0

    def inspect(self, name: str) -> Any:
        """Return what is known of a container or image."""
        return json.loads(self("inspect", name))[0]


@contextmanager
def daemon(folder: Path) -> Iterator[Docker]:
    """Give the daemon that is there; or start one in a folder, and end it afterwards.

    Images that were made in the folder are kept for the next run.
    """
    if shutil.which("docker") is None:
        raise Failed("there is no docker command; on Debian: apt-get install docker.io debootstrap")
    there = Docker({})
    if there.works("info"):
        yield there
        return
    if os.geteuid() != 0 or shutil.which("dockerd") is None:
        raise Failed("no Docker daemon runs; start one, or as root: apt-get install docker.io debootstrap")
    socket, log = folder / "docker.sock", folder / "dockerd.log"
    config = folder / "config"
    config.mkdir(parents=True, exist_ok=True)
    own = Docker({"DOCKER_HOST": f"unix://{socket}", "DOCKER_CONFIG": str(config)})
    places = [f"--data-root={folder / 'data'}", f"--exec-root={folder / 'exec'}", f"--pidfile={folder / 'dockerd.pid'}"]
    with log.open("w") as written:
        process = subprocess.Popen(["dockerd", *places, f"--host=unix://{socket}"], stdout=written, stderr=written)
    try:
        for _ in range(300):
            if own.works("info"):
                break
            if process.poll() is not None:
                raise Failed(f"dockerd does not start: {log.read_text()[-2000:]}")
            time.sleep(0.1)
        yield own
    finally:
        process.terminate()
        process.wait(timeout=60)
