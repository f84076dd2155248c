"""Before the load: what the server says of the models, the messages, and the answers that are right."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from numbatch.loadtest.data import Rows, checked, generated, read_npz, read_rows
from numbatch.loadtest.errors import WorkloadError
from numbatch.loadtest.library import Part, split, write_library
from numbatch.loadtest.protocol import PROTOCOLS, Model, Protocol
from numbatch.loadtest.workload import Asked, Workload

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
    protocol = PROTOCOLS[workload.protocol]
    if workload.streamed and not protocol.stream_method:
        raise WorkloadError(f"protocol {workload.protocol} has no streams")
    parts = tuple(_part(asked, workload, call, protocol) for asked in workload.asked)
    write_library(folder, parts, protocol, streamed=workload.streamed, seed=workload.seed)
    return Prepared(parts)


def _part(asked: Asked, workload: Workload, call: Call, protocol: Protocol) -> Part:
    def ask(method: str, request: bytes) -> bytes:
        return call(method, request, asked.name, asked.version)

    model = protocol.describe(ask, asked.name, asked.version)
    rows = _rows(model, workload)
    bounds = split(rows, workload.rows_per_message)
    part = Part(model, asked.version, asked.weight, rows, bounds, None)
    if not workload.verify:
        return part
    expected = _given(workload.expect, bounds) if workload.expect is not None else _recorded(part, ask, protocol)
    return Part(model, asked.version, asked.weight, rows, bounds, expected)


def _rows(model: Model, workload: Workload) -> Rows:
    if workload.data is None:
        number = workload.messages * workload.rows_per_message
        return generated(model.inputs, number, workload.seed, workload.vocabulary)
    if isinstance(workload.data, Mapping):
        return checked(workload.data, model.inputs, "data")
    return read_rows(Path(workload.data), model.inputs)


def _given(expect: str | Path | Mapping[str, Any], bounds: np.ndarray[Any, Any]) -> Rows:
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
    # Outputs are float32: numbers of another type are compared with what they are in it.
    return {name: np.asarray(array, np.float32) for name, array in arrays.items()}


def _recorded(part: Part, ask: Callable[[str, bytes], bytes], protocol: Protocol) -> Rows:
    """Return the outputs of each message asked alone, with nothing else under way."""
    found: dict[str, list[Any]] = {}
    for message in range(part.messages):
        request = protocol.request(part.model.name, part.version, part.inputs(message), streamed=False)
        answer = protocol.answer(ask(protocol.infer_method, request), streamed=False)
        for name, array in answer.outputs.items():
            found.setdefault(name, []).append(array)
    return {name: np.concatenate(arrays) for name, arrays in found.items()}
