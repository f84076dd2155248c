"""All that lies in a repository at one moment: models, versions, settings, and the signatures of their files."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from numbatch.repository import disk
from numbatch.repository.settings import DEFAULTS, SETTINGS_FILE, ModelSettings, read_settings
from numbatch.repository.signature import Signature, signature
from numbatch.repository.single import SingleModel
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


def survey(repository: Path | SingleModel, names: Collection[str] | None = None) -> Survey:
    """Return the models in a repository, or some of them, by name; or the one that is served in place of a repository.

    Raises
    ------
    OSError
        If the repository itself cannot be read; the message names it.
    """
    models: dict[str, ModelOnDisk] = {}
    versions: dict[str, dict[int, VersionOnDisk]] = {}
    alone = repository if isinstance(repository, SingleModel) else None
    root = repository.folder if isinstance(repository, SingleModel) else repository
    for found in disk.scan_single(alone) if alone else disk.scan(root):
        if names is not None and found.name not in names:
            continue
        if not found.version:
            models[found.name] = ModelOnDisk(problem=f"{Reason.MODEL_CORRUPT}: {found.problem}")
            continue
        settings_file = found.folder.parent / SETTINGS_FILE
        # What leads out of the repository is not looked at.
        files = () if found.problem else signature(found.folder, settings_file)
        problem = f"{Reason.MODEL_CORRUPT}: {found.problem}" if found.problem else ""
        versions.setdefault(found.name, {})[found.version] = VersionOnDisk(found.folder, files, problem)
    for name, of_model in versions.items():
        try:
            models[name] = ModelOnDisk(of_model, read_settings(root if alone else root / name, root))
        except NumbatchError as wrong:
            models[name] = ModelOnDisk(of_model, problem=f"{wrong.reason}: {wrong.message}")
    return models
