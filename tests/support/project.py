"""Where the project's files are and what pyproject.toml says."""

import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SOURCE_ROOTS = ("proto", "server", "client")


def pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def portions() -> list[Path]:
    """The packages directly in the namespace: folders of numbatch/ that hold modules."""
    folders = (folder for root in SOURCE_ROOTS for folder in sorted((ROOT / root / "numbatch").iterdir()))
    return [folder for folder in folders if any(folder.glob("*.py"))]
