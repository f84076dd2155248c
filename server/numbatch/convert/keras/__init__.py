"""From Keras and back.

Importing this package imports neither Keras nor h5py, and no compiler. Files are read without Keras, and nothing in
them is run; live models are read by Keras itself.
"""

import re
from pathlib import Path
from typing import Any

from numbatch.convert.converted import Converted
from numbatch.convert.keras.described import MODELS
from numbatch.convert.keras.files import read_file
from numbatch.convert.keras.references import reference_of_file, reference_of_live
from numbatch.convert.keras.translation import Translation
from numbatch.v1.model_pb2 import Model
from numbatch.wire.errors import error
from numbatch.wire.names import is_model_name
from numbatch.wire.reasons import Reason

__all__ = ["from_keras", "to_keras"]


def from_keras(source: Any, *, weights: str | Path | None = None, name: str = "") -> Converted:
    """Convert a model of Keras.

    Parameters
    ----------
    source : str, Path or keras.Model
        A `.keras` file, a whole-model `.h5`, an architecture (what `model.to_json()` returns, in a file), a SavedModel
        folder of Keras 2; or a live model: Sequential, Functional, or a class of your own that was built.
    weights : str or Path, optional
        The weights of an architecture: a `.weights.h5`, or a file of Keras 2's `save_weights`.
    name : str
        The model's. Default: its name in Keras.

    Returns
    -------
    Converted
        Layers have their names in Keras, those of nested models and layers "outer/inner"; the second use of a shared
        layer is "name:2". With `reference` where Keras can compute it.

    Raises
    ------
    UnsupportedError
        LAYER_UNSUPPORTED, ACTIVATION_UNSUPPORTED or FEATURE_UNSUPPORTED: what cannot be served, the layer's name, and
        what could be done.
    InvalidModelError
        WEIGHTS_MISMATCH or MODEL_INVALID.
    CorruptModelError
        MODEL_CORRUPT, if a file is damaged.
    InvalidArgumentError
        INVALID_FIELD, if `weights` are given where none are needed, or missing.
    ModuleNotFoundError
        If h5py (of the extra `convert`) is needed and not installed.
    OSError
        If a file cannot be read.

    Examples
    --------
    >>> from numbatch.convert import from_keras
    >>> converted = from_keras("churn.keras", name="churn")                # doctest: +SKIP
    >>> [layer.name for layer in converted.model.layers]                   # doctest: +SKIP
    ['hidden', 'probability']
    """
    if name and not is_model_name(name):
        expected = "1 to 128 of A-Z a-z 0-9 . _ -, a letter or digit first"
        raise error(Reason.INVALID_FIELD, field="name", got=repr(name), expected=expected)
    if isinstance(source, str | Path):
        return _from_file(Path(source), None if weights is None else Path(weights), name)
    if weights is not None:
        raise error(Reason.INVALID_FIELD, field="weights", got="with a live model", expected="none")
    return _from_live(source, name)


def to_keras(model: Model, path: str | Path, *, folder: str | Path | None = None) -> dict[str, str]:
    """Write a model as a `.keras` file, which `keras.saving.load_model` of Keras 3.10 or later reads.

    Keras is not needed for it, h5py is. Layers that no output of the model needs are left out.

    Parameters
    ----------
    model : Model
        Any that numbatch serves, but for a mean over row numbers that leaves out others than 0.
    path : path
        The file, by custom "something.keras"; one that is there is replaced.
    folder : path, optional
        Where the files are that the model's weights refer to. Default: all weights are in the message.

    Returns
    -------
    dict of str to str
        What layers and inputs are called in the file whose names Keras cannot have ("outer/inner": "outer_inner").

    Raises
    ------
    UnsupportedError
        FEATURE_UNSUPPORTED, if Keras has nothing that computes a layer.
    NumbatchError
        As `numbatch.engine.load_model`: MODEL_INVALID, WEIGHTS_CORRUPT and so on, with the path of the field.
    ModuleNotFoundError
        If h5py is not installed.
    """
    from numbatch.convert.keras.writing import write_keras  # here: it takes the engine, which reading does not

    return write_keras(model, Path(path), None if folder is None else Path(folder))


def _from_file(path: Path, weights: Path | None, name: str) -> Converted:
    read = read_file(path, weights)
    translation = Translation(read.network, read.keras_version, name or _model_name(read.network.name or read.name))
    model = translation.run()
    own = dict.fromkeys(each.kind for each in read.network.models() if each.kind not in MODELS)
    translation.notes += [f"models of the class {kind} are taken to call their layers as listed" for kind in own]
    reference = reference_of_file(path, weights, read.keras_version, model)
    return Converted(model, reference, tuple(translation.notes))


def _from_live(source: Any, name: str) -> Converted:
    module = type(source).__module__.partition(".")[0]
    bases = {base.__module__.partition(".")[0] for base in type(source).__mro__}
    if "keras" not in bases:
        hint = 'save it (model.save("model.h5")) and convert the file' if "tf_keras" in bases else ""
        expected = "a path, or a model of Keras 3"
        raise error(
            Reason.INVALID_FIELD, field="source", got=f"{module}.{type(source).__name__}", expected=expected, hint=hint
        )
    import keras

    from numbatch.convert.keras.live import read_live

    translation = Translation(read_live(source), keras.__version__, name or _model_name(source.name))
    model = translation.run()
    return Converted(model, reference_of_live(source, model), tuple(translation.notes))


def _model_name(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "_", text).lstrip("._-")[:128] or "model"
