"""All that lies in a repository at one moment: models, versions, settings, and the signatures of their files."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from numbatch.repository import disk
from numbatch.repository.settings import DEFAULTS, SETTINGS_FILE, ModelSettings, read_settings
from numbatch.repository.signature import Signature, signature
from numbatch.wire.errors import NumbatchError
from numbatch.wire.reasons import Reason


@dataclass(frozen=True)
class VersionOnDisk:
    """A version: its folder, the signature of its files and settings, and the reason if it cannot be loaded."""

    folder: Path
    signature: Signature
    problem: str = ""


@dataclass(frozen=True)
class ModelOnDisk:
    """A model: its versions by number, its settings, and the reason if none of it can be loaded."""

    versions: Mapping[int, VersionOnDisk] = field(default_factory=dict)
    settings: ModelSettings = DEFAULTS
    problem: str = ""


Survey = Mapping[str, ModelOnDisk]


def survey(repository: Path, names: Collection[str] | None = None) -> Survey:
    """Return the models in a repository, or some of them, by name.

    Raises
    ------
    OSError
        If the repository itself cannot be read; the message names it.
    """
    models: dict[str, ModelOnDisk] = {}
    versions: dict[str, dict[int, VersionOnDisk]] = {}
    for found in disk.scan(repository):
        if names is not None and found.name not in names:
            continue
        if not found.version:
            models[found.name] = ModelOnDisk(problem=f"{Reason.MODEL_CORRUPT}: {found.problem}")
            continue
        settings_file = repository / found.name / SETTINGS_FILE
        # What leads out of the repository is not looked at.
        files = () if found.problem else signature(found.folder, settings_file)
        problem = f"{Reason.MODEL_CORRUPT}: {found.problem}" if found.problem else ""
        versions.setdefault(found.name, {})[found.version] = VersionOnDisk(found.folder, files, problem)
    for name, of_model in versions.items():
        try:
            models[name] = ModelOnDisk(of_model, read_settings(repository / name, repository))
        except NumbatchError as wrong:
            models[name] = ModelOnDisk(of_model, problem=f"{wrong.reason}: {wrong.message}")
    return models
