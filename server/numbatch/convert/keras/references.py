"""The original model as Keras computes it, to compare a converted one with."""

import os
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from numbatch.convert.converted import Reference
from numbatch.v1.model_pb2 import Model
from numbatch.wire.tensors import Array


def reference_of_file(path: Path, weights: Path | None, keras_version: str, model: Model) -> Reference | None:
    """Return what computes a file's model with Keras; None if Keras is not installed, or too new for the file.

    Keras 3 reads files of Keras 2, but some of its functions are others. It is imported, and reads the file, at the
    first call.
    """
    if not keras_version.startswith("3") or find_spec("keras") is None:
        return None

    def load() -> Any:
        import keras

        if weights is None:
            return keras.saving.load_model(os.fspath(path), compile=False, safe_mode=True)
        loaded = keras.models.model_from_json(path.read_text(encoding="utf-8"))
        loaded.load_weights(os.fspath(weights))
        return loaded

    return _reference(load, model)


def reference_of_live(source: Any, model: Model) -> Reference:
    """Return what computes a live model."""
    return _reference(lambda: source, model)


def _reference(load: Callable[[], Any], model: Model) -> Reference:
    loaded: list[Any] = []
    inputs, outputs = [spec.name for spec in model.inputs], list(model.outputs)

    def run(arrays: Mapping[str, Array]) -> Mapping[str, Array]:
        import keras

        if not loaded:
            loaded.append(load())
        given = [keras.ops.convert_to_tensor(arrays[name]) for name in inputs]
        args, kwargs = _arguments(loaded[0], given)
        computed = loaded[0](*args, training=False, **kwargs)
        flat = keras.tree.flatten(computed)
        return {name: keras.ops.convert_to_numpy(each) for name, each in zip(outputs, flat, strict=True)}

    return run


def _arguments(model: Any, arrays: list[Any]) -> tuple[list[Any], dict[str, Any]]:
    """Return arrays, one for each input, as a model takes them: alone, in lists or dicts, by the names of arguments."""
    import keras

    if getattr(model, "inputs", None):
        structure = model.inputs if isinstance(model, keras.Sequential) else model.input
        packed = keras.tree.pack_sequence_as(structure, arrays)
        return [arrays[0] if isinstance(model, keras.Sequential) else packed], {}
    built = model.get_build_config()
    if built.get("input_shape"):
        shapes = built["input_shape"]
        if isinstance(shapes, Mapping):
            return [dict(zip(sorted(shapes), arrays, strict=True))], {}
        return [arrays if any(isinstance(each, list | tuple) for each in shapes) else arrays[0]], {}
    return [], dict(zip((key.removesuffix("_shape") for key in sorted(built["shapes_dict"])), arrays, strict=True))
