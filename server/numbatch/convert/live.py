"""Models that live in a program: `package.module:attribute`, and whose they are."""

import importlib
import re
import sys
import traceback
from functools import reduce
from pathlib import Path
from typing import Any

from numbatch.wire.errors import NumbatchError, error
from numbatch.wire.reasons import Reason

_ATTRIBUTE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")

# By the packages that define an object's class and its bases. Keras comes first: its models may be modules of PyTorch.
_FRAMEWORKS = {
    "keras": {"keras", "tensorflow", "tf_keras"},
    "torch": {"torch"},
    "onnx": {"onnx"},
    "sklearn": {"sklearn"},
}
_REQUIREMENTS = {package for packages in _FRAMEWORKS.values() for package in packages}


def is_live(source: str | Path) -> bool:
    """Return whether a source reads `package.module:attribute`, and is no file."""
    return _ATTRIBUTE.fullmatch(str(source)) is not None and not Path(source).exists()


def live_object(text: str) -> tuple[Any, str]:
    """Import what `package.module:attribute` names, from the current folder too; this runs the module's code.

    Returns
    -------
    object
        The model; of a callable that is no model itself, what it returns.
    str
        The attribute's last name.

    Raises
    ------
    InvalidArgumentError
        INVALID_FIELD, if there is no such thing, or its code fails.
    ModuleNotFoundError
        If its code needs a framework that is not installed.
    """
    module, _, attribute = text.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        importlib.import_module(module)
    except ModuleNotFoundError as missing:
        if missing.name and f"{module}.".startswith(f"{missing.name}."):
            expected = "a module of the current folder or of the environment"
            raise error(Reason.INVALID_FIELD, field=text, got=f"no {missing.name}", expected=expected) from missing
        raise _failed(text, "importing it", missing) from missing
    except (Exception, SystemExit) as failure:
        raise _failed(text, "importing it", failure) from failure
    try:
        value = reduce(getattr, attribute.split("."), sys.modules[module])
    except AttributeError as missing:
        raise error(Reason.INVALID_FIELD, field=text, got=str(missing), expected="an attribute of it") from missing
    name = attribute.rpartition(".")[2]
    if _framework(value) or not callable(value):
        return value, name
    try:
        return value(), name
    except (Exception, SystemExit) as failure:
        raise _failed(text, "calling it", failure) from failure


def framework_of(value: object, field: str) -> str:
    """Return whose model an object is: "keras", "torch", "onnx" or "sklearn".

    Raises
    ------
    InvalidArgumentError
        INVALID_FIELD, if it is none of theirs.
    """
    framework = _framework(value)
    if not framework:
        got = f"{type(value).__module__}.{type(value).__name__}"
        expected = "a model of Keras, PyTorch, scikit-learn or ONNX, or what returns one"
        raise error(Reason.INVALID_FIELD, field=field, got=got, expected=expected)
    return framework


def _framework(value: object) -> str:
    packages = {base.__module__.partition(".")[0] for base in type(value).__mro__}
    return next((framework for framework, theirs in _FRAMEWORKS.items() if theirs & packages), "")


def _failed(text: str, doing: str, failure: BaseException) -> NumbatchError | ModuleNotFoundError:
    if isinstance(failure, ModuleNotFoundError) and (failure.name or "").partition(".")[0] in _REQUIREMENTS:
        return failure
    frames = [frame for frame in traceback.extract_tb(failure.__traceback__) if not frame.filename.startswith("<")]
    place = f" ({frames[-1].filename}, line {frames[-1].lineno})" if len(frames) > 1 else ""
    said = f"{type(failure).__name__}: {failure}" if str(failure) else type(failure).__name__
    return error(Reason.INVALID_FIELD, f"{doing} fails: {said}{place}", field=text)
