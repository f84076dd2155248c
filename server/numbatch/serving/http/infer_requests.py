"""Requests for inference, as JSON with binary data behind it -> those of the core.

The JSON is that of the Open Inference Protocol. A tensor's data are in it, or behind it: the header
Inference-Header-Content-Length says where it ends, and `binary_data_size` of each tensor how much of the rest is its
own. They are read where they lie.
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from numbatch.serving.http.json_fields import (
    Object,
    as_object,
    count_in,
    flag_in,
    objects_in,
    parameters_in,
    text_in,
    wrong,
)
from numbatch.serving.http.json_tensors import read_elements
from numbatch.serving.http.json_text import read_json
from numbatch.serving.oip.datatypes import data_type
from numbatch.serving.oip.messages import InferRequest, InputTensor, WantedOutput
from numbatch.serving.oip.parameters import REGION, place_of
from numbatch.serving.oip.requests import check_tensor_count
from numbatch.wire.errors import error
from numbatch.wire.reasons import Reason

JSON_LENGTH = "Inference-Header-Content-Length"
BINARY_SIZE = "binary_data_size"

_BINARY, _ALL_BINARY = "binary_data", "binary_data_output"


class Parsed(NamedTuple):
    """A request that was read.

    Attributes
    ----------
    request : InferRequest
        What is asked.
    binary : mapping of str to bool
        Of each output that says so: whether it is to come as binary data.
    all_binary : bool
        Whether the others are.
    """

    request: InferRequest
    binary: Mapping[str, bool]
    all_binary: bool

    def is_binary(self, output: str) -> bool:
        """Return whether an output is to come as binary data, and not in the JSON."""
        return self.binary.get(output, self.all_binary)


def read_request(
    body: bytes | bytearray, json_length: str | None, *, model: str, version: str, max_json_bytes: int
) -> Parsed:
    """Return what the body of a request asks for.

    Parameters
    ----------
    body : bytes or bytearray
        All of it.
    json_length : str or None
        The header of that name; None: all of the body is JSON.
    model, version : str
        Of the path.
    max_json_bytes : int
        The most JSON that is read.

    Raises
    ------
    InvalidArgumentError
        MALFORMED_MESSAGE, INVALID_FIELD, DATA_TYPE_MISMATCH, SHAPE_MISMATCH or BYTE_COUNT_MISMATCH.
    MessageTooLargeError
        MESSAGE_TOO_LARGE.
    """
    view = memoryview(body).toreadonly()
    end = _json_end(json_length, len(view))
    check_json_size(end, max_json_bytes)
    said = as_object(read_json(view[:end]), "the request")
    blobs = _Blobs(view[end:])
    parameters = parameters_in(said)
    all_binary = flag_in(dict(parameters), _ALL_BINARY, f"parameters.{_ALL_BINARY}")
    said_inputs, said_outputs = objects_in(said, "inputs", required=True), objects_in(said, "outputs")
    check_tensor_count(len(said_inputs), "inputs")
    check_tensor_count(len(said_outputs), "outputs")
    inputs = [_input(each, f"inputs[{position}]", blobs) for position, each in enumerate(said_inputs)]
    blobs.check_all_taken()
    outputs, binary = [], {}
    for position, each in enumerate(said_outputs):
        output, own = _output(each, f"outputs[{position}]")
        outputs.append(output)
        if own is not None:
            binary[output.name] = own
    request = InferRequest(model, version, text_in(said, "id", "id", default=""), inputs, outputs, parameters)
    return Parsed(request, binary, all_binary)


def check_json_size(size: int, most: int) -> None:
    """Refuse more JSON than is read.

    Raises
    ------
    MessageTooLargeError
        MESSAGE_TOO_LARGE.
    """
    if size > most:
        raise error(
            Reason.MESSAGE_TOO_LARGE,
            "more JSON than the server reads",
            got=f"{size} bytes",
            expected=f"at most {most} bytes",
            hint="send tensors as binary data, or fewer rows at once, or raise the server's --max-json-bytes",
        )


class _Blobs:
    """What is behind the JSON, tensor after tensor."""

    def __init__(self, rest: memoryview) -> None:
        self._rest = rest

    def take(self, size: int, field: str) -> memoryview:
        if size > len(self._rest):
            got = f"{len(self._rest)} bytes behind the JSON"
            hint = f"the header {JSON_LENGTH} says where the JSON ends"
            raise error(Reason.BYTE_COUNT_MISMATCH, field=field, got=got, expected=f"{size} bytes", hint=hint)
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken

    def check_all_taken(self) -> None:
        if self._rest:
            got, expected = f"{len(self._rest)} bytes more", f"as many as {BINARY_SIZE} of all inputs says"
            raise error(Reason.BYTE_COUNT_MISMATCH, field="binary data", got=got, expected=expected)


def _json_end(said: str | None, length: int) -> int:
    if said is None:
        return length
    end = int(said) if said.isascii() and said.isdecimal() and len(said) < 20 else -1
    if not 0 <= end <= length:
        raise wrong(JSON_LENGTH, said, f"0 to {length}, the bytes of the body")
    return end


def _input(said: Object, field: str, blobs: _Blobs) -> InputTensor:
    name = text_in(said, "name", f"{field}.name")
    datatype = text_in(said, "datatype", f"{field}.datatype")
    shape = said.get("shape")
    if not isinstance(shape, list) or not all(type(length) is int and abs(length) < 2**63 for length in shape):
        raise wrong(f"{field}.shape", shape, "a list of whole numbers of 64 bits")
    parameters = dict(parameters_in(said, f"{field}.parameters"))
    place = place_of(parameters, field)
    is_binary, data = BINARY_SIZE in parameters, said.get("data")
    if (data is not None) + is_binary + (place is not None) != 1:
        sources = {"data": data is not None, BINARY_SIZE: is_binary, REGION: place is not None}
        got = " and ".join(source for source, is_there in sources.items() if is_there) or "nothing"
        expected = f"data, or in the parameters {BINARY_SIZE} or {REGION}: one of them"
        raise error(Reason.INVALID_FIELD, "where the elements are", field=field, got=got, expected=expected)
    elements: Any = None
    if is_binary:
        path = f"{field}.parameters.{BINARY_SIZE}"
        elements = blobs.take(count_in(parameters, BINARY_SIZE, path), path)
    elif data is not None:
        elements = read_elements(data, data_type(datatype, field), f"{field}.data")
        count = math.prod(shape) if min(shape, default=0) >= 0 else -1
        if elements.size != count >= 0:
            got, expected = f"{elements.size} elements", f"{count} for the shape {shape}"
            raise error(Reason.BYTE_COUNT_MISMATCH, field=f"{field}.data", got=got, expected=expected)
    return InputTensor(name, datatype, shape, elements, place)


def _output(said: Object, field: str) -> tuple[WantedOutput, bool | None]:
    parameters = dict(parameters_in(said, f"{field}.parameters"))
    own = flag_in(parameters, _BINARY, f"{field}.parameters.{_BINARY}") if _BINARY in parameters else None
    return WantedOutput(text_in(said, "name", f"{field}.name"), place_of(parameters, field)), own
