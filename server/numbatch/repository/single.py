"""One model in a folder of any name, in place of a repository: as it is mounted by who knows of no repository.

What is in the folder decides: versions in folders of their own (``1/model.binpb``), or a model file: version 1.
"""

from dataclasses import dataclass
from pathlib import Path

from numbatch.wire.errors import error
from numbatch.wire.names import is_model_name
from numbatch.wire.reasons import Reason


@dataclass(frozen=True)
class SingleModel:
    """A model: the name that it is served under, and its folder."""

    name: str
    folder: Path

    def __str__(self) -> str:
        return f"{self.name}={self.folder}"


def parse_single_model(text: str, field: str = "model") -> SingleModel:
    """Return the model that NAME=DIR means.

    Raises
    ------
    InvalidArgumentError
        INVALID_FIELD.
    """
    name, _, folder = text.partition("=")
    if not (folder and is_model_name(name)):
        raise error(Reason.INVALID_FIELD, field=field, got=repr(text), expected="NAME=DIR")
    return SingleModel(name, Path(folder))
