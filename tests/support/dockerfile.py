"""The instructions of server/Dockerfile."""

import re

from support.project import ROOT

FILE = ROOT / "server/Dockerfile"
TEXT = FILE.read_text().replace("\\\n", " ")


def stages() -> dict[str, list[str]]:
    """The instructions of each stage, with those of the stage that it is made of."""
    found: dict[str, list[str]] = {}
    for line in TEXT.splitlines():
        if start := re.match(r"FROM (\S+) AS (\w+)", line):
            current = found[start[2]] = list(found.get(start[1], []))
        elif found and line and not line.startswith("#"):
            current.append(line.strip())
    return found


def last(stage: str, instruction: str) -> str:
    """What the last such instruction of a stage says: the one that counts."""
    return [line.partition(" ")[2] for line in stages()[stage] if line.startswith(f"{instruction} ")][-1]
