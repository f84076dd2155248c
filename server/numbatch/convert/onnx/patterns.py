"""Several nodes that are one layer: a product and its bias, shift and scale, a normalisation written out, pooling."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from numbatch.convert.onnx.matching import Constant, Found, Input, Number, Op, Part, either
from numbatch.convert.onnx.nodes import Node
from numbatch.convert.onnx.products import BIASED, Product, is_bias, write_product
from numbatch.convert.onnx.tables import MASKED_MEAN, POOLED, masked_mean, pooled, reduced_axes
from numbatch.convert.onnx.translation import Translation, finite
from numbatch.wire.graph import Symbol
from numbatch.wire.tensors import Array, shape_text


class Pattern(NamedTuple):
    """Nodes that are one layer.

    Attributes
    ----------
    part : Part
        How they look.
    write : callable
        (translation, the last of them, what was found) -> what their layer gives.
    holds : callable
        What was found -> whether it is such a layer; what the look of the nodes does not say.
    """

    part: Part
    write: Callable[[Translation, Node, Found], Symbol]
    holds: Callable[[Found], bool] = lambda _found: True


def _biased(t: Translation, node: Node, found: Found) -> Symbol:
    product = Product(found.nodes["product"], found.tensors["x"], found.constants["kernel"], found.constants["bias"])
    return write_product(t, product, node.name)


def _is_biased(found: Found) -> bool:
    kernel = found.constants["kernel"]
    return kernel.ndim == 2 and is_bias(found.constants["bias"], kernel.shape[1])


def _scaled(t: Translation, node: Node, found: Found) -> Symbol:
    """Translate scale (x - mean) + offset, whichever of the three are there."""
    x = t.numbers(node, found.tensors["x"])
    given = dict(found.constants)
    if "divisor" in given:
        with np.errstate(divide="ignore"):
            given["scale"] = 1 / given.pop("divisor").astype(np.float64)
    zero, one = np.zeros(1), np.ones(1)
    arrays: dict[str, Array] = {"mean": zero, "variance": one, **given}
    write = t.writer.batch_normalization
    return t.featurewise(node, x, arrays, lambda y, name, rows: write(y, **rows, epsilon=0.0, name=name))


def _standardised(t: Translation, node: Node, found: Found) -> Symbol:
    """Translate (x - mean) / deviation."""
    x = t.numbers(node, found.tensors["x"])
    deviation = found.constants["deviation"].astype(np.float64)
    arrays = {"mean": found.constants["mean"], "variance": deviation**2}
    return t.featurewise(
        node, x, arrays, lambda y, name, rows: t.writer.normalization(y, rows["mean"], rows["variance"], name=name)
    )


def _is_positive(found: Found) -> bool:
    return bool(np.all(found.constants["deviation"] > 1e-18))  # its square is a float32


def _normalised(t: Translation, node: Node, found: Found) -> Symbol:
    """Translate a layer normalisation that is written out."""
    x = t.numbers(node, found.tensors["x"])
    last = [len(x.shape)]
    for name in ("mean", "variance"):
        reduce = found.nodes[name]
        axes = [axis % (len(x.shape) + 1) for axis in reduced_axes(t, reduce)]
        if axes != last or not reduce.attribute("keepdims", 1):
            got = f"axes {axes} of {shape_text(x.shape, batch=True)}"
            raise reduce.refusal("a normalisation over other axes than the last one", got=got)
    rows = {name: t.row(node, x, found.constants[name]) for name in ("scale", "offset") if name in found.constants}
    epsilon = float(finite(node, found.constants["epsilon"], "epsilon").reshape(-1)[0])
    return t.writer.layer_normalization(x, rows.get("scale"), rows.get("offset"), epsilon=epsilon, name=node.name)


def _normalisations() -> list[Part]:
    """Return how exporters write layer normalisations: PyTorch's, then those of TensorFlow and Keras."""
    x, scale, offset = Input("x"), Constant("scale"), Constant("offset")
    mean = Op("ReduceMean", x, name="mean")
    centred = Op("Sub", x, mean)
    square = either(Op("Pow", centred, Number(2)), Op("Mul", centred, centred))
    variance = Op("ReduceMean", square, name="variance")
    deviation = Op("Sqrt", Op("Add", variance, Constant("epsilon")))
    inverse = either(Op("Reciprocal", deviation), Op("Div", Number(1), deviation))
    core = either(Op("Div", centred, deviation), Op("Mul", centred, inverse))
    factor = either(Op("Mul", inverse, scale), inverse)
    minus = either(
        Op("Sub", offset, Op("Mul", mean, factor)),
        Op("Add", Op("Mul", Op("Neg", mean), factor), offset),
        Op("Neg", Op("Mul", mean, factor)),
        Op("Mul", Op("Neg", mean), factor),
    )
    return [
        Op("Add", Op("Mul", core, scale, once=True), offset),
        Op("Mul", core, scale),
        Op("Add", Op("Mul", x, factor), minus),
        Op("Sub", Op("Mul", x, factor), Op("Mul", mean, factor)),
        core,
    ]


def _softplus(t: Translation, node: Node, found: Found) -> Symbol:
    """Translate PyTorch's softplus(beta x) / beta; where it takes x instead, beyond 20, the two are the same number."""
    x, beta = t.numbers(node, found.tensors["x"]), found.constants["beta"].astype(np.float64)
    inner = t.affine(node, x, beta, None, f"{node.name}/times_beta")
    return t.affine(node, t.writer.activation(inner, "softplus", name=f"{node.name}/softplus"), 1 / beta, None)


def _is_one_beta(found: Found) -> bool:
    beta, divisor = found.constants["beta"], found.constants["divisor"]
    return bool(np.array_equal(beta, divisor) and np.all(beta > 0))


def _softplus_of_multiple() -> Part:
    x = Input("x")
    multiple = Op("Mul", x, Constant("beta"))
    quotient = Op("Div", Op("Softplus", multiple), Constant("divisor"))
    return Op("Where", Op("Greater", multiple, Number(20)), x, quotient)


def _affine() -> list[Pattern]:
    x, mean, scale, offset = Input("x"), Constant("mean"), Constant("scale"), Constant("offset")
    divisor = Constant("divisor")
    shifted = Op("Sub", x, mean, once=True)
    scaled = either(Op("Mul", shifted, scale, once=True), Op("Div", shifted, divisor, once=True))
    stretched = either(Op("Mul", x, scale, once=True), Op("Div", x, divisor, once=True))
    return [
        Pattern(Op("Add", scaled, offset), _scaled),
        Pattern(Op("Add", stretched, offset), _scaled),
        Pattern(Op("Mul", shifted, scale), _scaled),
        Pattern(Op("Div", shifted, Constant("deviation")), _standardised, _is_positive),
        Pattern(Op("Div", shifted, divisor), _scaled),
    ]


# In the order in which they are tried: the larger ones first.
PATTERNS = [
    Pattern(MASKED_MEAN, masked_mean),
    Pattern(POOLED, pooled),
    Pattern(BIASED, _biased, _is_biased),
    *(Pattern(part, _normalised) for part in _normalisations()),
    Pattern(_softplus_of_multiple(), _softplus, _is_one_beta),
    *_affine(),
]
