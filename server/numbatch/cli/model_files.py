"""Writing models for commands: `numbatch.models.files`, but that refusals are those of a command."""

from pathlib import Path

from numbatch.cli.exits import CommandError, ExitCode
from numbatch.models import files
from numbatch.models.files import named_weights, write_model

__all__ = ["named_weights", "version_folder", "write_model"]


def version_folder(model_folder: Path, version: int | None, *, force: bool) -> Path:
    """Return where a new version goes, as `numbatch.models.files.version_folder` does.

    Raises
    ------
    CommandError
        If it is there and may not be.
    """
    try:
        return files.version_folder(model_folder, version, overwrite=force)
    except FileExistsError as there:
        hint = "leave out --version for the next free one, or replace it with --force"
        raise CommandError(f"{there}; {hint}", ExitCode.USAGE) from there
