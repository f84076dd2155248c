"""Gemm, and MatMul with the bias after it -> dense layers."""

from typing import NamedTuple

import numpy as np

from numbatch.convert.onnx.activations import Activated
from numbatch.convert.onnx.matching import Constant, Found, Input, Op
from numbatch.convert.onnx.network import Network
from numbatch.convert.onnx.nodes import Node
from numbatch.convert.onnx.translation import Translation, finite
from numbatch.wire.graph import Symbol
from numbatch.wire.tensors import Array, shape_text

_LINEAR = Activated("", "linear")

# A product and the bias that nothing but it is added to.
BIASED = Op("Add", Op("MatMul", Input("x"), Constant("kernel"), name="product", once=True), Constant("bias"))


class Product(NamedTuple):
    """A product of an array and constant weights, and a bias: what a dense layer computes.

    Attributes
    ----------
    node : Node
        The Gemm or MatMul.
    x : str
        The array.
    kernel : ndarray
        Of shape [inputs, units].
    bias : ndarray or None
        One number for each unit, or one for all of them.
    """

    node: Node
    x: str
    kernel: Array
    bias: Array | None = None


def find_product(network: Network, tensor: str) -> Product | None:
    """Return the product that a tensor is, or None if it is none with constant weights of two axes."""
    node = network.maker(tensor)
    if node is None:
        return None
    if found := next(BIASED.fits(network, tensor, Found()), None):
        product, bias = _matmul(network, found.nodes["product"]), found.constants["bias"]
        fits = product is not None and is_bias(bias, product.kernel.shape[1])
        return product._replace(bias=bias) if product and fits else None
    if node.op == "Gemm":
        return _gemm(network, node)
    return _matmul(network, node) if node.op == "MatMul" else None


def write_product(t: Translation, product: Product, name: str, activated: Activated = _LINEAR) -> Symbol:
    """Write a product as a dense layer, with an activation."""
    node, kernel, bias = product.node, finite(product.node, product.kernel, "kernel"), product.bias
    if bias is not None:
        bias = np.broadcast_to(finite(node, bias, "bias").reshape(-1), kernel.shape[1:])
    x = t.numbers(node, product.x)
    return t.writer.dense(x, kernel, bias, activated.function, alpha=activated.alpha, name=name)


def gemm(t: Translation, node: Node) -> Symbol:
    """Translate alpha A B + beta C; where C depends on the inputs, it is added by a layer of its own."""
    if product := _gemm(t.network, node):
        return write_product(t, product, node.name)
    if node.attribute("transA", 0):
        raise node.refusal("it multiplies columns of the batch", got="transA=1", expected="transA=0")
    kernel = _scaled(_kernel(t, node, transposed=bool(node.attribute("transB", 0))), node.attribute("alpha", 1.0))
    name, beta = node.name, node.attribute("beta", 1.0)
    if (bias := t.constant(node, 2)) is not None:
        raise node.refusal("the shape of its bias", got=shape_text(bias.shape), expected=shape_text(kernel.shape[1:]))
    c = t.numbers(node, 2)
    c = c if beta == 1 else t.writer.affine(c, beta, name=f"{name}/beta")
    return t.writer.add([t.writer.dense(t.numbers(node), kernel, name=f"{name}/product"), c], name=name)


def matmul(t: Translation, node: Node) -> Symbol:
    """Translate x W."""
    kernel = _kernel(t, node)
    return t.writer.dense(t.numbers(node), kernel, name=node.name)


def is_bias(bias: Array, units: int) -> bool:
    """Return whether a constant that is added to rows of so many units is one number for each, or one for all."""
    return bias.ndim == 0 or (bias.size == bias.shape[-1] and bias.size in (1, units))


def _gemm(network: Network, node: Node) -> Product | None:
    kernel = network.constant(node.inputs[1])
    if node.attribute("transA", 0) or kernel is None or kernel.ndim != 2:
        return None
    kernel = _scaled(kernel.T if node.attribute("transB", 0) else kernel, node.attribute("alpha", 1.0))
    product, beta = Product(node, node.inputs[0], kernel), node.attribute("beta", 1.0)
    if not node.has_input(2) or beta == 0:
        return product
    bias = network.constant(node.inputs[2])
    return None if bias is None or not is_bias(bias, kernel.shape[1]) else product._replace(bias=_scaled(bias, beta))


def _matmul(network: Network, node: Node) -> Product | None:
    kernel = network.constant(node.inputs[1])
    return None if kernel is None or kernel.ndim != 2 else Product(node, node.inputs[0], kernel)


def _kernel(t: Translation, node: Node, *, transposed: bool = False) -> Array:
    if t.constant(node, 1) is None:
        hint = "products of two computed arrays, as in attention, are not served"
        if t.constant(node, 0) is not None:
            hint = "export x W, with the constant on the right"
        raise node.refusal("its right side depends on the model's inputs", expected="constant weights", hint=hint)
    kernel = t.weights(node, 1, "kernel")
    if kernel.ndim != 2:
        raise node.refusal("the shape of its weights", got=shape_text(kernel.shape), expected="[inputs, units]")
    return kernel.T if transposed else kernel


def _scaled(array: Array, factor: float) -> Array:
    return array if factor == 1 else array.astype(np.float64) * factor
