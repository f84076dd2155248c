"""The inputs of an ONNX graph -> those of a model: the batch first, then axes of fixed lengths."""

import onnx
from onnx import TensorProto

from numbatch.convert.onnx.network import FLOATS, Network
from numbatch.convert.onnx.translation import RowNumbers, Translation
from numbatch.wire.errors import NumbatchError, error
from numbatch.wire.layers import Shape
from numbatch.wire.reasons import Reason
from numbatch.wire.tensors import shape_text

_INTEGERS = (TensorProto.INT64, TensorProto.INT32)
# What gives the same integers as it takes, or some of them, where they are its first input.
_KEEP_ROW_NUMBERS = ("Flatten", "Gather", "Identity", "Reshape", "Slice", "Split", "Squeeze", "Transpose", "Unsqueeze")


def add_inputs(t: Translation, names: set[str]) -> None:
    """Add those of the graph's inputs that are needed.

    Raises
    ------
    UnsupportedError
        FEATURE_UNSUPPORTED, with the input's name.
    """
    for name, value in t.network.inputs.items():
        if name not in names:
            t.notes.append(f"Input {name!r} is left out: no output depends on it.")
            continue
        tensor = value.tensor_type
        if tensor.elem_type not in (*FLOATS, *_INTEGERS):
            got = _type_name(tensor.elem_type) if value.HasField("tensor_type") else "no tensor"
            raise _refusal(name, "inputs of this type are not served", got, "float32, or integers")
        if tensor.elem_type in (TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16):
            was = _type_name(tensor.elem_type)
            t.notes.append(f"Input {name!r} is float32 instead of {was}, and everything is computed in float32.")
        integer = tensor.elem_type in _INTEGERS and not _becomes_float(t.network, name)
        symbol = t.writer.input(name, _shape(name, tensor), integer=integer)
        t.symbols[name] = t.inputs[name] = symbol
        t.row_numbers[symbol.name] = RowNumbers(symbol, 0, symbol.shape[-1])


def batch_of(network: Network) -> int | None:
    """Return the number of examples that the graph is fixed to, or None."""
    for value in network.inputs.values():
        axes = value.tensor_type.shape.dim
        if len(axes) > 1 and axes[0].HasField("dim_value"):
            return int(axes[0].dim_value)
    return None


def _shape(name: str, tensor: onnx.TypeProto.Tensor) -> Shape:
    if not tensor.HasField("shape") or len(tensor.shape.dim) < 2:
        got = shape_text([]) if tensor.HasField("shape") else "none"
        got = "[batch]" if len(tensor.shape.dim) == 1 else got
        expected = "[batch, ...]: at least one axis after the batch"
        raise _refusal(name, "its shape", got, expected, "export the model with such an input")
    axes = tensor.shape.dim[1:]
    if any(axis.dim_value < 1 for axis in axes):
        got = ", ".join(str(axis.dim_value or axis.dim_param or "?") for axis in tensor.shape.dim)
        hint = "fix them: python -m onnxruntime.tools.make_dynamic_shape_fixed, or export with fixed ones"
        raise _refusal(name, "axes of unknown length", f"[{got}]", "known lengths of all but the batch", hint)
    return tuple(axis.dim_value for axis in axes)


def _becomes_float(network: Network, name: str) -> bool:
    """Return whether integers are cast to floats; if not, they are row numbers of tables."""
    are_floats = are_numbers = False
    pending = [name]
    while pending:
        tensor = pending.pop()
        for node in network.users(tensor):
            is_cast = node.op == "Cast" and node.attribute("to") in _INTEGERS
            if is_cast or (node.op in _KEEP_ROW_NUMBERS and node.inputs[0] == tensor):
                pending += node.outputs
            elif node.op == "Cast":
                are_floats = True
            elif node.op != "Shape":
                are_numbers = True
    if are_floats and are_numbers:
        hint = "bring it twice: as row numbers, and as floats"
        raise _refusal(name, "integers that are row numbers and cast to floats, too", "both", "one of the two", hint)
    return are_floats


def _type_name(number: int) -> str:
    return TensorProto.DataType.Name(number).lower() if number in TensorProto.DataType.values() else f"type {number}"


def _refusal(name: str, problem: str, got: str, expected: str, hint: str = "") -> NumbatchError:
    return error(Reason.FEATURE_UNSUPPORTED, problem, field=name, got=got, expected=expected, hint=hint)
