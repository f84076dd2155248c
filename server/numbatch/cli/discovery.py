"""Which models a path means: a repository, a model, one of its versions, or a model file."""

from dataclasses import replace
from pathlib import Path

from numbatch.cli.exits import CommandError
from numbatch.engine.files import MODEL_FILES
from numbatch.repository.disk import FoundVersion, scan


def newest_version(path: Path) -> FoundVersion:
    """Return the version that a path means, of a model's folder its newest.

    Raises
    ------
    CommandError
        If there is no model, several, or one that cannot be loaded.
    OSError
        If the path cannot be read.
    """
    versions = find_versions(path)
    names = sorted({found.name for found in versions})
    if len(names) > 1:
        raise CommandError(f"{path}: a model repository; name one of its models: {', '.join(names)}")
    newest = versions[-1]
    if newest.problem:
        raise CommandError(f"{newest.folder}: {newest.problem}")
    return newest


def find_versions(path: Path) -> list[FoundVersion]:
    """Return the versions that a path means, ordered by name and version.

    Parameters
    ----------
    path : Path
        A model repository, a model's folder, a version's folder, or a model file.

    Returns
    -------
    list of FoundVersion
        One or more. `name` is "" where the model's own message says it, `folder` is what the engine loads.

    Raises
    ------
    CommandError
        If there is no model.
    OSError
        If the path cannot be read.
    """
    if path.is_file() or any((path / name).is_file() for name in MODEL_FILES):
        return [FoundVersion("", int(path.name) if path.name.isdecimal() else 0, path)]
    here = path.resolve(strict=True)
    if any(child.name.isdecimal() and child.is_dir() for child in here.iterdir()):
        found = [version for version in scan(here.parent) if version.name == here.name]
    else:
        found = scan(here)
    if not found:
        layout = f"NAME/VERSION/{MODEL_FILES[0]}"
        raise CommandError(f"{path}: no model there; expected a model repository ({layout}), a model, or a version")
    # As the caller wrote the path.
    return [replace(version, folder=path / version.folder.relative_to(here)) for version in found]
