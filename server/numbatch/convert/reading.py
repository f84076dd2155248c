"""Reading a source with the reader of its framework."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from numbatch import convert
from numbatch.convert.converted import Converted
from numbatch.convert.detection import Detected
from numbatch.wire.errors import error
from numbatch.wire.reasons import Reason
from numbatch.wire.tensors import Array


def read(
    detected: Detected,
    *,
    name: str = "",
    weights: str | Path | None = None,
    architecture: str | Path | None = None,
    example: Sequence[Array] = (),
) -> Converted:
    """Read what `detect` found.

    Parameters
    ----------
    detected : Detected
        The source.
    name : str
        The model's name. Default: that of the source.
    weights : path, optional
        The weights of an architecture of Keras in .json.
    architecture : path, optional
        A model of numbatch without weights (model.txtpb), for weights of PyTorch.
    example : sequence of ndarray
        One array for each input, for a live module of PyTorch, which is traced with them.

    Raises
    ------
    NumbatchError
        Whatever cannot be read or served.
    ModuleNotFoundError
        If reading it needs a package that is not installed.
    """
    framework, source = detected.framework, detected.source
    given: dict[str, Any] = {"name": name}
    if weights is not None:
        if framework != "keras":
            raise _misplaced("weights", detected, "an architecture of Keras in .json")
        given["weights"] = weights
    if architecture is not None:
        if framework != "torch":
            raise _misplaced("architecture", detected, "weights of PyTorch: .safetensors, .pt or .pth")
        given["architecture"] = architecture
    if example and framework == "torch":
        given["example"] = tuple(example)
    reader = getattr(convert, f"from_{framework}")
    converted: Converted = reader(source, **given)
    if not converted.model.name:
        converted.model.name = detected.name
    return converted


def _misplaced(field: str, detected: Detected, expected: str) -> Exception:
    return error(Reason.INVALID_FIELD, field=field, got=f"with {detected.kind}", expected=f"only with {expected}")
