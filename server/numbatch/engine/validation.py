"""Checking a whole model, its weights included, without making it ready to run."""

import os
from collections.abc import Iterator
from typing import NamedTuple

from numbatch.engine.activations import LINEAR
from numbatch.engine.files import OpenedModel, model_file, open_model_file
from numbatch.engine.graph import Graph, Node, build_graph
from numbatch.engine.plan import dense_layout
from numbatch.engine.specs import LayerInfo, ModelSummary
from numbatch.engine.weights import WeightsReader
from numbatch.kernels.microkernel import KB
from numbatch.v1.model_pb2 import Model
from numbatch.wire.errors import error
from numbatch.wire.models import NUMERIC_CONTRACT
from numbatch.wire.names import is_model_name
from numbatch.wire.reasons import Reason
from numbatch.wire.tensors import Float32Array

Source = str | os.PathLike[str] | Model


def open_model(source: Source, name: str = "") -> tuple[Model, WeightsReader]:
    """Return a model's message, under this name if one is given, and what reads its weights.

    Large weights may be missing from the message: the reader has them.

    Raises
    ------
    CorruptModelError
        MODEL_CORRUPT.
    InvalidModelError
        MODEL_INVALID, if the model has another name than the one given, or none.
    """
    folder = None
    if isinstance(source, Model):
        opened = OpenedModel(Model())
        opened.model.CopyFrom(source)
    else:
        opened = open_model_file(source)
        folder = model_file(source).parent
    model = opened.model
    if name and model.name not in ("", name):
        raise error(Reason.MODEL_INVALID, field="model.name", got=repr(model.name), expected=repr(name))
    model.name = model.name or name
    if not model.name and folder is not None:
        # <repository>/<model>/<version>/model.binpb
        model.name = folder.resolve().parent.name if folder.resolve().name.isdecimal() else folder.resolve().name
    if not is_model_name(model.name):
        expected = "letters, digits and . _ -, at most 128, a letter or digit first"
        raise error(Reason.MODEL_INVALID, field="model.name", got=repr(model.name), expected=expected)
    return model, WeightsReader(folder, opened.file, opened.extents)


class DensePart(NamedTuple):
    """Some inputs of a dense layer: the first of them, their rows of the kernel, and, with the last ones, the bias."""

    node: Node
    first: int
    kernel: Float32Array
    bias: Float32Array | None


def dense_weights(graph: Graph, reader: WeightsReader) -> Iterator[DensePart]:
    """Read and check the weights of the dense layers, in parts of some megabytes that begin at multiples of KB."""
    for node in graph.nodes:
        if node.kind == "dense":
            dense, field = node.layer.dense, f"{node.field}.dense"
            inputs = node.input_shape[-1]
            for first, kernel in reader.parts(dense.kernel, [inputs, dense.units], f"{field}.kernel", step=KB):
                bias = None
                if first + len(kernel) == inputs and dense.HasField("bias"):
                    bias = reader.read(dense.bias, [dense.units], f"{field}.bias")
                yield DensePart(node, first, kernel, bias)


def summarize(model: Model, graph: Graph, weights_precision: str = "f32") -> ModelSummary:
    """Describe a model whose graph is right, as it is when its weights are kept in this precision."""
    return ModelSummary(
        model.name,
        model.description,
        graph.inputs,
        tuple(_layer_info(node, bf16=weights_precision == "bf16") for node in graph.nodes),
        graph.outputs,
        model.numeric_contract or NUMERIC_CONTRACT,
        weights_precision,
        dict(model.metadata),
    )


def validate_model(source: Source, *, name: str = "") -> ModelSummary:
    """Check a model as `load_model` does, weights included, but neither pack nor compile anything.

    Parameters
    ----------
    source : path or Model
        As for `load_model`.
    name : str
        As for `load_model`.

    Raises
    ------
    ModelError
        Whatever is wrong with it.
    """
    model, reader = open_model(source, name)
    graph = build_graph(model)
    for _ in dense_weights(graph, reader):
        pass
    return summarize(model, graph)


def _layer_info(node: Node, *, bf16: bool) -> LayerInfo:
    parameters = packed = 0
    if node.kind == "dense":
        inputs, units = node.input_shape[-1], node.output_shape[-1]
        parameters = inputs * units + (units if node.layer.dense.HasField("bias") else 0)
        packed = 4 * dense_layout(node, bf16=bf16).end
    activation = "" if node.activation == LINEAR else node.activation.name
    return LayerInfo(node.name, node.kind, node.inputs, node.output_shape, parameters, packed, activation)
