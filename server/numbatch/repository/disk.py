"""What lies on disk: a folder -> the models and versions in it.

The layout is ``<repository>/<model>/<version>/model.binpb`` or ``model.txtpb``. Only names are read here, never what is
in the files. A name that came in a request is compared with what was found and never becomes part of a path, and what
leads out of the repository through a symbolic link is found to be a problem.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from numbatch.engine.files import MODEL_FILES
from numbatch.repository.single import SingleModel
from numbatch.wire.names import is_model_name

# One spelling for each number, so that no two folders are the same version; at most what fits an int64.
_VERSION = re.compile(r"[1-9][0-9]{0,17}")


@dataclass(frozen=True, order=True)
class FoundVersion:
    """A version on disk.

    Attributes
    ----------
    name : str
        The model: the name of its folder.
    version : int
        1 or more; 0 where a model was found but no version of it.
    folder : Path
        Where the version lies.
    problem : str
        Why it cannot be loaded; "" if nothing speaks against it so far.
    """

    name: str
    version: int
    folder: Path
    problem: str = ""


def scan(repository: Path) -> list[FoundVersion]:
    """Return the versions in a repository, ordered by name and version.

    Raises
    ------
    FileNotFoundError, NotADirectoryError, PermissionError
        If the repository itself cannot be read; the message names it.
    """
    try:
        root = repository.resolve(strict=True)
        folders = sorted(folder for folder in root.iterdir() if _is_folder(folder))
        misplaced = [_misplaced(root)] if _has_model_file(root) else []
    except FileNotFoundError as missing:
        raise FileNotFoundError(f"model repository {str(repository)!r}: no such folder; create it") from missing
    except NotADirectoryError as file:
        raise NotADirectoryError(f"model repository {str(repository)!r}: a file, expected a folder") from file
    except PermissionError as denied:
        raise PermissionError(f"model repository {str(repository)!r}: no permission to read it") from denied
    return sorted([*misplaced, *(found for folder in folders for found in _scan_model(root, folder))])


def scan_single(model: SingleModel) -> list[FoundVersion]:
    """Return the versions in a model's folder, ordered by number.

    Raises
    ------
    FileNotFoundError, NotADirectoryError, PermissionError
        If the folder cannot be read; the message names it.
    """
    shown = f"model {str(model)!r}"
    try:
        root = model.folder.resolve(strict=True)
        versions = _version_folders(root)
        alone = not versions and _has_model_file(root)
        others = [] if versions or alone else [path for path in root.iterdir() if path.is_dir()]
    except FileNotFoundError as missing:
        raise FileNotFoundError(f"{shown}: no such folder") from missing
    except NotADirectoryError as file:
        raise NotADirectoryError(f"{shown}: a file, expected a folder") from file
    except PermissionError as denied:
        raise PermissionError(f"{shown}: no permission to read it") from denied
    if alone:
        return [FoundVersion(model.name, 1, root, _leads_out(root, root))]
    if versions:
        return sorted(FoundVersion(model.name, int(path.name), path, _leads_out(root, path)) for path in versions)
    problem = f"no model in {model.folder}; expected {MODEL_FILES[0]}, or folders of versions with it"
    if any(map(_version_folders, others)):
        problem += "; if it is a model repository, give it as that"
    return [FoundVersion(model.name, 0, root, problem)]


def _scan_model(root: Path, folder: Path) -> Iterator[FoundVersion]:
    name = _name(folder)
    try:
        versions = _version_folders(folder)
        misplaced = not versions and _has_model_file(folder)
    except OSError as unreadable:
        yield FoundVersion(name, 0, folder, f"the folder cannot be read: {unreadable.strerror}")
        return
    if versions and not is_model_name(name):
        rule = "1 to 128 of the characters A-Z a-z 0-9 . _ -, starting with a letter or a digit"
        yield FoundVersion(name, 0, folder, f"the folder's name is no model name; expected {rule}")
    elif versions:
        for path in versions:
            yield FoundVersion(name, int(path.name), path, _leads_out(root, path))
    elif misplaced:
        yield _misplaced(folder)


def _misplaced(folder: Path) -> FoundVersion:
    name = _name(folder)
    problem = f"the model file is not in a version folder; expected {name}/1/{MODEL_FILES[0]}"
    if _VERSION.fullmatch(name):  # a model's folder, or a version's, was taken for the repository
        problem += f"; if {name} is a version, the model repository is {folder.parent.parent}"
    return FoundVersion(name, 0, folder, problem)


def _name(folder: Path) -> str:
    # One that is no UTF-8 is no model's, and could not be told to anybody.
    return os.fsencode(folder.name).decode(errors="replace")


def _version_folders(folder: Path) -> list[Path]:
    """Return the folders of versions in a model's folder, in no order."""
    return [path for path in folder.iterdir() if _VERSION.fullmatch(path.name) and path.is_dir()]


def _has_model_file(folder: Path) -> bool:
    """Return whether a folder is that of a version, by what lies in it."""
    return any((folder / file).is_file() for file in MODEL_FILES)


def _is_folder(path: Path) -> bool:
    if path.name.startswith("."):
        return False
    try:
        return path.is_dir()
    except PermissionError:
        # A link to where nobody may look is that model's problem; if the repository may not be looked into, this fails.
        return path.is_symlink()


def _leads_out(root: Path, folder: Path) -> str:
    """Return what is wrong if a version folder or its model file is really somewhere else; "" if nothing is."""
    for path in (folder, *(folder / file for file in MODEL_FILES)):
        # Not `resolve`, which raises a RuntimeError for links that lead in a circle, before Python 3.13.
        if not Path(os.path.realpath(path)).is_relative_to(root):
            return f"{path.relative_to(root)} leads out of the model repository"
    return ""
