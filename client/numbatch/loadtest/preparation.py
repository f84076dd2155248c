"""Before the load: what the server says of the models, the messages, and the answers that are right."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from numbatch.loadtest.data import NUMERIC, Rows, checked, generated, read_npz, read_rows
from numbatch.loadtest.errors import WorkloadError
from numbatch.loadtest.library import Part, split, write_library
from numbatch.loadtest.protocol import Model, Protocol, Tensor
from numbatch.loadtest.protocols import protocol_named
from numbatch.loadtest.workload import Asked, Workload
from numbatch.wire.tensors import Array

Call = Callable[..., bytes]


@dataclass(frozen=True)
class Prepared:
    """What is ready to be sent.

    Attributes
    ----------
    parts : tuple of Part
        The messages to each model.
    """

    parts: tuple[Part, ...]

    @property
    def messages(self) -> int:
        """How many there are."""
        return sum(part.messages for part in self.parts)

    @property
    def models(self) -> list[str]:
        """The names of the models."""
        return [part.model.name for part in self.parts]

    def part_of(self, message: int) -> tuple[Part, int]:
        """Return to which model a message goes, and which it is of those."""
        for part in self.parts:
            if message < part.messages:
                return part, message
            message -= part.messages
        raise IndexError(message)


def prepare(workload: Workload, call: Call, folder: Path) -> Prepared:
    """Ask the server about the models, make the messages, and record the answers that are right.

    Parameters
    ----------
    workload : Workload
        What is to be sent.
    call : callable
        Calls the server: a method's path and the bytes of a request.
    folder : Path
        Where messages are written.

    Raises
    ------
    WorkloadError
        The data do not fit the model.
    NumbatchError
        The server, or what it says.
    """
    protocol = protocol_named(workload.protocol)
    if workload.streamed and not protocol.stream_method:
        raise WorkloadError(f"protocol {workload.protocol} has no streams")
    parts = tuple(_part(asked, workload, call, protocol) for asked in workload.asked)
    write_library(folder, parts, protocol, streamed=workload.streamed, seed=workload.seed)
    return Prepared(parts)


def _part(asked: Asked, workload: Workload, call: Call, protocol: Protocol) -> Part:
    def ask(method: str, request: bytes) -> bytes:
        return call(method, request, asked.name, asked.version)

    model = protocol.describe(ask, asked.name, asked.version)
    if not model.inputs:
        raise WorkloadError(f"the server does not say what {asked.name!r} takes")
    rows = _rows(model, workload)
    bounds = split(rows, workload.rows_per_message)
    part = Part(model, asked.version, asked.weight, rows, bounds, None)
    if not workload.verify:
        return part
    if workload.expect is not None:
        expected = _given(workload.expect, bounds, model.outputs)
        return replace(part, expected=expected, tolerance=workload.tolerance)
    try:
        return replace(part, expected=_recorded(part, ask, protocol), tolerance=workload.tolerance)
    except ValueError as unreadable:
        raise WorkloadError(f"an answer of {asked.name!r} cannot be read: {unreadable}") from unreadable


def _rows(model: Model, workload: Workload) -> Rows:
    if workload.data is None:
        number = workload.messages * workload.rows_per_message
        return generated(model.inputs, number, workload.seed, workload.vocabulary)
    if isinstance(workload.data, Mapping):
        return checked(workload.data, model.inputs, "data")
    return read_rows(Path(workload.data), model.inputs)


def _given(expect: str | Path | Mapping[str, Any], bounds: Array, outputs: Sequence[Tensor]) -> Rows:
    if isinstance(expect, Mapping):
        arrays = {name: np.asarray(array) for name, array in expect.items()}
    else:
        path = Path(expect)
        if path.suffix.lower() != ".npz":
            raise WorkloadError(f"{path}: expected outputs are a .npz with an array for each output")
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            names = list(archive)
        arrays = read_npz(path, names)
    for name, array in arrays.items():
        if len(array) != bounds[-1]:
            raise WorkloadError(f"expected output {name!r} has {len(array)} rows, the data have {bounds[-1]}")
    # Numbers of another type than the output's are compared with what they are in it.
    types = {output.name: output.data_type for output in outputs if output.data_type in NUMERIC}
    return {name: np.asarray(array, types.get(name, "float32")) for name, array in arrays.items()}


def _recorded(part: Part, ask: Callable[[str, bytes], bytes], protocol: Protocol) -> Rows:
    """Return the outputs of each message asked alone, with nothing else under way."""
    found: dict[str, list[Any]] = {}
    for message in range(part.messages):
        request = protocol.request(part.model.name, part.version, part.inputs(message), streamed=False)
        answer = protocol.answer(ask(protocol.infer_method, request), streamed=False)
        for name, array in answer.outputs.items():
            found.setdefault(name, []).append(array)
    return {name: np.concatenate(arrays) for name, arrays in found.items()}
