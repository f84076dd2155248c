"""Manifests as they would be applied, where kubectl is installed: `kubectl kustomize`."""

import shutil
import subprocess
from typing import Any

import yaml

from support.deploy import DEPLOY

KUBECTL = shutil.which("kubectl")
MISSING = "kubectl is not installed"


def kustomized(folder: str) -> list[dict[str, Any]]:
    """Return what a folder of deploy/ comes to."""
    command = [str(KUBECTL), "kustomize", str(DEPLOY / folder)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert ended.returncode == 0, ended.stderr
    return list(yaml.safe_load_all(ended.stdout))


def by_kind(manifests: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return manifests by their kinds, of which there is one each."""
    assert len({manifest["kind"] for manifest in manifests}) == len(manifests)
    return {manifest["kind"]: manifest for manifest in manifests}
