"""A file or a message -> an ONNX model that is whole and well-formed, with all its weights inside."""

import math
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import onnx
import onnx.checker
import onnx.inliner
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message
from onnx import helper

from numbatch.wire.errors import NumbatchError, error
from numbatch.wire.reasons import Reason

OLDEST_OPSET = 9

# Protobuf serialises no message beyond this, and ONNX' checker serialises.
_MOST_BYTES_OF_MESSAGE = 2**31 - 1


def read_source(source: str | os.PathLike[str] | onnx.ModelProto) -> onnx.ModelProto:
    """Return a checked model of its own, whose functions are inlined.

    Raises
    ------
    NumbatchError
        As `from_onnx` says.
    """
    model = onnx.ModelProto()
    if isinstance(source, onnx.ModelProto):
        model.CopyFrom(source)
        _take_external_data(model, None)
    else:
        path = Path(source)
        _parse(path, model)
        _take_external_data(model, path.parent)
    if not model.graph.node and not model.graph.output:
        raise error(Reason.MODEL_CORRUPT, f"{source_text(source)} is no ONNX model, or an empty one")
    _check_text(model, source_text(source))
    _check_opset(model)
    if model.ByteSize() < _MOST_BYTES_OF_MESSAGE:
        try:
            onnx.checker.check_model(model)
        except onnx.checker.ValidationError as invalid:
            problem = f"{source_text(source)} is not valid ONNX: {str(invalid).splitlines()[0]}"
            raise error(Reason.MODEL_INVALID, problem) from invalid
    return onnx.inliner.inline_local_functions(model) if model.functions else model


def source_text(source: str | os.PathLike[str] | onnx.ModelProto) -> str:
    """Return what a source is called in messages."""
    return "the message" if isinstance(source, onnx.ModelProto) else str(source)


def _parse(path: Path, model: onnx.ModelProto) -> None:
    try:
        model.ParseFromString(path.read_bytes())
    except OSError as unreadable:
        raise error(
            Reason.MODEL_CORRUPT, f"{path} cannot be read", got=unreadable.strerror or "an error"
        ) from unreadable
    except (DecodeError, UnicodeDecodeError) as malformed:
        raise error(Reason.MODEL_CORRUPT, f"{path} is no ONNX model, or a truncated one") from malformed


def _check_text(message: Message, source: str) -> None:
    """Refuse names that are no text: ONNX' messages are of a kind that lets any bytes pass."""
    for field, value in message.ListFields():
        values = value if isinstance(value, Iterable) and not isinstance(value, (str, bytes)) else [value]
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            for each in values:
                _check_text(each, source)
        elif field.type == FieldDescriptor.TYPE_STRING and not all(isinstance(each, str) for each in values):
            raise error(Reason.MODEL_CORRUPT, f"{source} is damaged: a name that is no text", got=field.full_name)


def _check_opset(model: onnx.ModelProto) -> None:
    version = max((each.version for each in model.opset_import if each.domain in ("", "ai.onnx")), default=OLDEST_OPSET)
    newest = onnx.defs.onnx_opset_version()
    if not OLDEST_OPSET <= version <= newest:
        hint = (
            "convert it with onnx.version_converter"
            if version < OLDEST_OPSET
            else "upgrade onnx, or export an older one"
        )
        raise error(
            Reason.FEATURE_UNSUPPORTED,
            "this version of ONNX' operators",
            field="opset_import",
            got=version,
            expected=f"{OLDEST_OPSET} to {newest}",
            hint=hint,
        )


def _take_external_data(model: onnx.ModelProto, folder: Path | None) -> None:
    """Move weights that lie in files beside the model's into the message."""
    for tensor in _tensors(model.graph):
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            where = {each.key: each.value for each in tensor.external_data}
            if folder is None:
                hint = "give the path of the model's file, or load it with onnx.load"
                raise error(Reason.WEIGHTS_CORRUPT, "its data are in another file", field=tensor.name, hint=hint)
            tensor.raw_data = _external_bytes(tensor.name, where, folder)
            _check_length(tensor)
            tensor.data_location = onnx.TensorProto.DEFAULT
            del tensor.external_data[:]


def _external_bytes(name: str, where: dict[str, str], folder: Path) -> bytes:
    location = where.get("location", "")
    try:
        inside = folder.resolve()
        file = (inside / location).resolve()
        if not location or not file.is_relative_to(inside):
            expected = "a file in the folder of the model"
            raise error(
                Reason.WEIGHTS_OUTSIDE_MODEL, "external data", field=name, got=repr(location), expected=expected
            )
        if not file.is_file():
            raise _corrupt(name, f"{location} is no file beside the model")
        size = file.stat().st_size
        offset = int(where.get("offset", 0))
        length = int(where.get("length", size - offset))
        if not 0 <= offset <= offset + length <= size:
            raise _corrupt(name, f"{location} has {size} bytes, not the {length} from {offset} on that it should have")
        with file.open("rb") as opened:
            opened.seek(offset)
            return opened.read(length)
    except (ValueError, OSError) as wrong:
        raise _corrupt(name, f"{location} cannot be read: {wrong}") from wrong


def _check_length(tensor: onnx.TensorProto) -> None:
    dtype = helper.tensor_dtype_to_np_dtype(tensor.data_type)
    expected = math.prod(tensor.dims) * dtype.itemsize
    if dtype.kind in "fiub" and len(tensor.raw_data) != expected:
        got = f"{len(tensor.raw_data)} bytes"
        raise error(Reason.WEIGHTS_CORRUPT, "external data", field=tensor.name, got=got, expected=f"{expected} bytes")


def _corrupt(name: str, problem: str) -> NumbatchError:
    return error(Reason.WEIGHTS_CORRUPT, problem, field=name)


def _tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    """Return all arrays of a graph, those in attributes of its nodes and in graphs within it, too."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
            for inner in (attribute.g, *attribute.graphs):
                yield from _tensors(inner)
