"""Checking a whole model, its weights included, without making it ready to run."""

import math
import os
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from numbatch.engine.activations import LINEAR
from numbatch.engine.files import OpenedModel, model_file, open_model_file
from numbatch.engine.graph import Graph, Node, build_graph
from numbatch.engine.parameters import check_epsilon, check_rows, place_vectors
from numbatch.engine.plan import dense_layout
from numbatch.engine.specs import LayerInfo, ModelSummary
from numbatch.engine.weights import WeightsReader
from numbatch.kernels.microkernel import KB
from numbatch.v1.model_pb2 import Model
from numbatch.wire.errors import error
from numbatch.wire.layers import parameters_of, weights_field
from numbatch.wire.models import NUMERIC_CONTRACT, HasMessage, as_message
from numbatch.wire.names import is_model_name
from numbatch.wire.reasons import Reason
from numbatch.wire.tensors import Float32Array, shape_text

_NOTHING = np.zeros(0, np.float32)

Source = str | os.PathLike[str] | Model


def at_the_door(source: Source | HasMessage) -> Source:
    """Return where a model comes from: of one of `numbatch.models`, its message."""
    return source if isinstance(source, str | os.PathLike | Model) else as_message(source)


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


class Part(NamedTuple):
    """Some rows of an array of weights: whose they are, which array, and the first of them."""

    node: Node
    name: str
    first: int
    rows: Float32Array

    @property
    def field(self) -> str:
        """The path of the array in the model."""
        return f"{self.node.field}.{self.node.kind}.{self.name}"


def read_weights(graph: Graph, reader: WeightsReader) -> Iterator[Part]:
    """Read and check all weights, in parts of some megabytes; those of a dense kernel begin at multiples of KB."""
    for node in graph.nodes:
        check_epsilon(node)
        for parameter in parameters_of(node.layer, node.input_shape):
            weights = weights_field(node.layer, parameter.name)
            part = Part(node, parameter.name, 0, _NOTHING)
            if weights is None:
                if parameter.required:
                    expected = f"float32 {shape_text(parameter.shape)}"
                    raise error(Reason.MODEL_INVALID, "no weights", field=part.field, got="none", expected=expected)
                continue
            step = KB if node.kind == "dense" else 1
            for first, rows in reader.parts(weights, parameter.shape, part.field, step=step):
                check_rows(node, parameter.name, first, rows)
                yield part._replace(first=first, rows=rows)


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


def validate_model(source: Source | HasMessage, *, name: str = "") -> ModelSummary:
    """Check a model as `load_model` does, weights included, but neither pack nor compile anything.

    Parameters
    ----------
    source : path, Model, or model of `numbatch.models`
        As for `load_model`.
    name : str
        As for `load_model`.

    Raises
    ------
    ModelError
        Whatever is wrong with it.
    """
    model, reader = open_model(at_the_door(source), name)
    graph = build_graph(model)
    for _ in read_weights(graph, reader):
        pass
    return summarize(model, graph)


def _layer_info(node: Node, *, bf16: bool) -> LayerInfo:
    parameters = [
        parameter
        for parameter in parameters_of(node.layer, node.input_shape)
        if parameter.required or weights_field(node.layer, parameter.name) is not None
    ]
    count = sum(math.prod(parameter.shape) for parameter in parameters)
    packed = dense_layout(node, bf16=bf16).end if node.kind == "dense" else place_vectors(node).end
    activation = "" if node.activation == LINEAR else node.activation.name
    return LayerInfo(node.name, node.kind, node.inputs, node.output_shape, count, 4 * packed, activation)
