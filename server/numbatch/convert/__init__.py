"""From and to other frameworks: a model of Keras, PyTorch, scikit-learn or ONNX becomes one of numbatch, and back.

>>> from numbatch.convert import from_keras, verify
>>> converted = from_keras("model.keras")                              # doctest: +SKIP
>>> verify(converted).passed                                           # doctest: +SKIP
True

Importing this package imports no framework. Each reader returns a `Converted`: the model, the original to compare it
with, and notes.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numbatch.convert.converted import Converted
    from numbatch.convert.detection import Detected, detect
    from numbatch.convert.keras import from_keras, to_keras
    from numbatch.convert.onnx import from_onnx, to_onnx
    from numbatch.convert.reading import read
    from numbatch.convert.sklearn import from_sklearn
    from numbatch.convert.torch import from_torch
    from numbatch.convert.verification import Verification, verify

__all__ = [
    "Converted",
    "Detected",
    "Verification",
    "detect",
    "from_keras",
    "from_onnx",
    "from_sklearn",
    "from_torch",
    "read",
    "to_keras",
    "to_onnx",
    "verify",
]

_PLACES = {
    "Converted": "converted",
    "Detected": "detection",
    "Verification": "verification",
    "detect": "detection",
    "from_keras": "keras",
    "from_onnx": "onnx",
    "from_sklearn": "sklearn",
    "from_torch": "torch",
    "read": "reading",
    "to_keras": "keras",
    "to_onnx": "onnx",
    "verify": "verification",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(_PLACES)
