"""Pickles are not read; nothing is unpickled unasked."""

import pickle
from pathlib import Path

import pytest

from numbatch.convert import from_sklearn
from numbatch.wire.errors import UnsupportedError


class Trap:
    """Runs code where it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return pytest.fail, ("it was unpickled",)


@pytest.mark.parametrize("name", ["model.pkl", "model.joblib", "model"])
def test_pickles_are_refused_with_what_could_be_done(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(pickle.dumps(Trap()))
    with pytest.raises(
        UnsupportedError, match=f"{name} is not read: .* load it yourself if you trust it, and pass the"
    ):
        from_sklearn(tmp_path / name)
