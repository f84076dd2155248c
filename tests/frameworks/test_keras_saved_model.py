"""SavedModel folders of Keras 2: TensorFlow reads their weights, and no program of theirs is loaded."""

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
pytest.importorskip("tensorflow", reason="TensorFlow reads checkpoints")
keras = pytest.importorskip("keras", reason="Keras exports a program")

from numbatch.convert.keras import from_keras  # noqa: E402
from numbatch.wire.errors import UnsupportedError  # noqa: E402
from support.project import ROOT  # noqa: E402


def test_a_saved_model_of_keras_2_is_read_like_its_file(tmp_path: Path) -> None:
    with zipfile.ZipFile(ROOT / "tests" / "convert" / "fixtures" / "keras2.zip") as archive:
        archive.extractall(tmp_path)
    assert not (tmp_path / "keras2_saved_model" / "saved_model.pb").exists()
    saved = from_keras(tmp_path / "keras2_saved_model").model
    assert saved == from_keras(tmp_path / "keras2.keras").model


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning")
def test_what_keras_3_exports_is_refused_with_what_to_save_instead(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model(np.ones((1, 3), np.float32))
    model.export(tmp_path / "exported", verbose=False)
    with pytest.raises(UnsupportedError, match=r"exported: a SavedModel that holds a program.*model\.save"):
        from_keras(tmp_path / "exported")
