"""The seam between load tests and what servers speak: how requests become bytes, and answers outputs.

Another protocol is another class with the members of `Protocol`, and a line in protocols.py. Nothing else knows
messages.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol as Interface

from numbatch.wire.tensors import Array

Arrays = Mapping[str, Array]
# Calls a method: its path and the request's bytes, and back come those of the answer.
Call = Callable[[str, bytes], bytes]


@dataclass(frozen=True)
class Tensor:
    """An input or an output of a model.

    Attributes
    ----------
    name : str
        Its name.
    data_type : str
        As NumPy calls it: "float32".
    shape : tuple of int
        The axes of one row; -1: of any length.
    """

    name: str
    data_type: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Model:
    """What a server says of a model.

    Attributes
    ----------
    name : str
        Its name.
    version : int or None
        Which answers; None: the server does not say it as a number.
    inputs, outputs : tuple of Tensor
        What it takes, and what it gives.
    instruction_set, weights_precision : str
        How it computes, where the server says so.
    """

    name: str
    version: int | None
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    instruction_set: str = ""
    weights_precision: str = ""


@dataclass(frozen=True)
class Answer:
    """An answer, or the error that came in its place on a stream.

    Attributes
    ----------
    model : str
        Who answered, as NAME/VERSION.
    outputs : dict of str to ndarray
        By name.
    code, error : int, str
        A status code other than 0, and its text, for an error.
    """

    model: str
    outputs: Arrays
    code: int = 0
    error: str = ""


class Protocol(Interface):
    """How a kind of server is spoken to.

    The same arrays must make the same bytes each time. Answers on a stream come in the order of its requests.
    """

    infer_method: str
    # "": there are no streams.
    stream_method: str

    def describe(self, call: Call, model: str, version: int) -> Model:
        """Ask a server about a model."""

    def request(self, model: str, version: int, arrays: Arrays, *, streamed: bool) -> bytes:
        """Return the bytes of a request."""

    def answer(self, data: bytes, *, streamed: bool) -> Answer:
        """Take the bytes of an answer apart; ValueError, or a NumbatchError, for what is none."""
