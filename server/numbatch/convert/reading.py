"""Reading a source with the reader of its framework."""

from pathlib import Path
from typing import Any

from numbatch import convert
from numbatch.convert.converted import Converted
from numbatch.convert.detection import Detected
from numbatch.convert.live import is_live, live_object
from numbatch.wire.errors import error
from numbatch.wire.reasons import Reason


def read(
    detected: Detected,
    *,
    name: str = "",
    weights: str | Path | None = None,
    architecture: str | Path | None = None,
    example: Any = None,
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
    architecture : str or Path, optional
        The network that weights of PyTorch belong to: a model of numbatch without weights (a .txtpb file), or
        `package.module:attribute`, a live module or a callable that returns one.
    example : array, tuple or mapping of arrays, optional
        What a live module of PyTorch is called with, to be traced. Other sources need none.

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
        given["architecture"] = _architecture(architecture)
    if example is not None and framework == "torch":
        given["example"] = example
    reader = getattr(convert, f"from_{framework}")
    converted: Converted = reader(source, **given)
    if not converted.model.name:
        converted.model.name = detected.name
    return converted


def _architecture(architecture: str | Path) -> Any:
    if is_live(architecture):
        module, _ = live_object(str(architecture))
        return module
    return Path(architecture)


def _misplaced(field: str, detected: Detected, expected: str) -> Exception:
    return error(Reason.INVALID_FIELD, field=field, got=f"with {detected.kind}", expected=f"only with {expected}")
