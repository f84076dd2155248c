"""Writing a model as ONNX: inputs, layers in order, outputs."""

import os
from pathlib import Path

import onnx
from onnx import TensorProto, helper

from numbatch.convert.onnx.nodes_writer import NodesWriter
from numbatch.convert.onnx.writing_layers import write_layer
from numbatch.engine.graph import build_graph
from numbatch.engine.weights import WeightsReader
from numbatch.v1.model_pb2 import Model
from numbatch.wire.models import HasMessage, as_message

# Since 20 ONNX has all that is needed here (Gelu was the last), and ONNX Runtime knows it since 1.17.
OPSET = 20
_IR_VERSION = 9

_BATCH = "batch"


def to_onnx(
    model: Model | HasMessage, *, all_layers: bool = False, folder: str | os.PathLike[str] | None = None
) -> onnx.ModelProto:
    """Write a model as ONNX.

    Every layer's output is a tensor of the layer's name, so that `from_onnx` makes the same layers of it again.

    Parameters
    ----------
    model : Model, or a model of `numbatch.models`
        Any that numbatch serves.
    all_layers : bool
        Make the outputs of all layers outputs of the graph, the model's own first. Default: the model's own.
    folder : path, optional
        Where the files are that the model's weights refer to. Default: all weights are in the message.

    Returns
    -------
    onnx.ModelProto
        Of opset 20; the first axis of each input and output is "batch", of any length. Row numbers are int32.

    Raises
    ------
    NumbatchError
        As `numbatch.engine.load_model`: MODEL_INVALID, LAYER_UNSUPPORTED, WEIGHTS_CORRUPT and so on, with the path of
        the field.
    """
    model = as_message(model)
    described = build_graph(model)
    names = [spec.name for spec in described.inputs] + [node.name for node in described.nodes]
    writer = NodesWriter(WeightsReader(None if folder is None else Path(folder)), names)
    for node in described.nodes:
        write_layer(writer, node)
    shapes = {node.name: node.output_shape for node in described.nodes}
    others = [name for name in shapes if all_layers and name not in described.outputs]
    graph = helper.make_graph(
        writer.nodes,
        model.name or "numbatch",
        [
            helper.make_tensor_value_info(
                spec.name, TensorProto.INT32 if spec.integer else TensorProto.FLOAT, [_BATCH, *spec.shape]
            )
            for spec in described.inputs
        ],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, [_BATCH, *shapes[name]])
            for name in (*described.outputs, *others)
        ],
        writer.constants,
        doc_string=model.description,
    )
    written = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=_IR_VERSION, producer_name="numbatch"
    )
    helper.set_model_props(written, dict(model.metadata))
    return written
