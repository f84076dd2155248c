"""What depends on constants only is computed once, by ONNX' own evaluator, within bounds of memory."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from numbatch.convert.onnx.nodes import Node
from numbatch.wire.errors import error
from numbatch.wire.reasons import Reason
from numbatch.wire.tensors import Array

Constants = Mapping[str, Array]

# Stands for the number of examples in the values of shapes: no length of an axis, and it fits into 32 bits.
BATCH = -987_654_321

# A model of a few bytes must not make its reader reserve gigabytes.
_MOST_ELEMENTS = 2**28

_MOVING = frozenset("Cast Concat Gather Identity Reshape Slice Split Squeeze Unsqueeze".split())
_ELEMENTWISE = frozenset(
    "Abs Add And CastLike Ceil Clip Cos Div Equal Erf Exp Floor Greater GreaterOrEqual Less LessOrEqual Log Max Min "
    "Mod Mul Neg Not Or Pow Reciprocal Round Sign Sin Sqrt Sub Sum Tanh Where Xor".split()
)
_OTHER = frozenset(
    "Constant ConstantOfShape CumSum Expand Flatten Gemm MatMul Range ReduceMax ReduceMean ReduceMin ReduceProd "
    "ReduceSum Shape Size Tile Transpose Trilu".split()
)
_FOLDABLE = _MOVING | _ELEMENTWISE | _OTHER


def is_foldable(node: Node, constants: Constants) -> bool:
    """Return whether a node is of a kind that is computed here, and all that it takes is known."""
    return node.op in _FOLDABLE and all(name in constants for name in node.inputs if name)


def fold(node: Node, constants: Constants) -> dict[str, Array]:
    """Compute a node whose inputs are known.

    Returns
    -------
    dict of str to ndarray
        By the names of its outputs.

    Raises
    ------
    NumbatchError
        LAYER_UNSUPPORTED, if it computes with the number of examples, or what comes of it would not fit;
        MODEL_INVALID, if it cannot be computed.
    """
    given = {name: constants[name] for name in node.inputs if name}
    if node.op not in _MOVING and any(has_batch(each) for each in given.values()):
        hint = "export with the batch as the first axis of everything, and other axes fixed"
        raise node.refusal("it computes with the number of examples, which only a request knows", hint=hint)
    try:
        elements = _size([given[name] for name in node.inputs if name], node)
        computed = _run(node, given) if elements <= _MOST_ELEMENTS else []
    except Exception as failed:  # whatever it is: neither the model nor the evaluator promises anything
        problem = f"a constant that cannot be computed: {failed}"
        raise node.refusal(problem, reason=Reason.MODEL_INVALID) from failed
    if elements > _MOST_ELEMENTS:
        raise node.refusal("a constant of so many elements", got=elements, expected=f"at most {_MOST_ELEMENTS}")
    names = [name for name in node.outputs if name]
    return {name: widened(np.asarray(each)) for name, each in zip(names, computed, strict=False)}


def _run(node: Node, given: Mapping[str, Array]) -> list[Any]:
    value_info = helper.make_tensor_value_info
    graph = helper.make_graph(
        [node.proto],
        "constant",
        [value_info(name, helper.np_dtype_to_tensor_dtype(each.dtype), each.shape) for name, each in given.items()],
        [value_info(name, onnx.TensorProto.UNDEFINED, None) for name in node.outputs if name],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid(node.proto.domain, node.opset)])
    return list(ReferenceEvaluator(model).run(None, dict(given)))


def array_of(tensor: onnx.TensorProto) -> Array:
    """Return a constant; floats narrower than float32 are widened to it.

    Raises
    ------
    CorruptModelError
        WEIGHTS_CORRUPT, if its bytes do not make it.
    """
    try:
        return widened(numpy_helper.to_array(tensor))
    except Exception as unreadable:  # what of it is wrong decides of which kind it is
        field = tensor.name or "constant"
        raise error(Reason.WEIGHTS_CORRUPT, f"no such array: {unreadable}", field=field) from unreadable


def widened(array: Array) -> Array:
    """Return an array of a narrow kind of floats (float16, bfloat16, float8) as float32, others as they are."""
    is_narrow = array.dtype == np.float16 or array.dtype.name.startswith(("bfloat", "float8", "float4"))
    return array.astype(np.float32) if is_narrow else array


def has_batch(array: Array) -> bool:
    """Return whether the number of examples is among the values of a shape."""
    return array.dtype.kind == "i" and bool(np.any(array == BATCH))


def _size(given: list[Array], node: Node) -> int:
    """Return how many elements come of a node, or more."""
    if node.op in _ELEMENTWISE:
        return math.prod(np.broadcast_shapes(*(each.shape for each in given)))
    if node.op == "ConstantOfShape":
        return _product(given[0])
    if node.op == "Expand":
        return max(_product(given[1]), 1) * max(given[0].size, 1)
    if node.op == "Tile":
        return _product(given[1]) * given[0].size
    if node.op == "Range":
        start, limit, step = (float(np.ravel(each)[0]) for each in given)
        return int(abs((limit - start) / step)) if step else 0
    if node.op == "Gather":
        axis = given[0].shape[node.attribute("axis", 0)] if given[0].ndim else 1
        return given[0].size // max(axis, 1) * given[1].size
    if node.op == "MatMul":
        summed = [given[0].shape[-1:], given[1].shape[-2:][:1]]
        return math.prod(each.size // max(*axis, 1) for each, axis in zip(given, summed, strict=True))
    if node.op == "Gemm":
        return math.prod(max(each.shape, default=1) for each in given[:2])
    return sum(each.size for each in given)


def _product(lengths: Array) -> int:
    return math.prod(int(each) for each in np.ravel(lengths))
