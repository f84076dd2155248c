"""Reading an ONNX model: from the file to the message."""

import os
from pathlib import Path

import onnx

from numbatch.convert.converted import Converted
from numbatch.convert.onnx.estimators import classes
from numbatch.convert.onnx.folding import fold, is_foldable
from numbatch.convert.onnx.inputs import add_inputs, batch_of
from numbatch.convert.onnx.network import FLOATS, Network
from numbatch.convert.onnx.nodes import Node
from numbatch.convert.onnx.planning import Step, plan
from numbatch.convert.onnx.reference import End, reference_of
from numbatch.convert.onnx.shapes import shape_of
from numbatch.convert.onnx.source import read_source
from numbatch.convert.onnx.translation import Translation
from numbatch.wire.errors import NumbatchError, error
from numbatch.wire.graph import GraphWriter, Symbol
from numbatch.wire.names import model_name
from numbatch.wire.reasons import Reason


def from_onnx(source: str | os.PathLike[str] | onnx.ModelProto, *, name: str = "") -> Converted:
    """Read a dense network from an ONNX model, of opset 9 or newer.

    A layer is called as the tensor that it gives, which is how ONNX Runtime's callers name what they want, too. What a
    name may not contain becomes "_", and a "/" in front is dropped. Where one node becomes several layers, the last has
    its name, and the others are called after it: "clip/relu6".

    Parameters
    ----------
    source : path or onnx.ModelProto
        A file, whose external data are in its folder or below; or a message with all its weights inside.
    name : str
        The model's. Default: the file's, without its ending; of a message, the graph's.

    Returns
    -------
    Converted
        The first axis of each input and output is the batch, whatever length the graph gives it, and no axis of the
        model; all others have known lengths. Outputs that are no floats, as labels are, are left out, and a note
        says so. The reference is ONNX Runtime where it is installed, else `onnx.reference`.

    Raises
    ------
    CorruptModelError
        MODEL_CORRUPT or WEIGHTS_CORRUPT, if a file is missing, or no ONNX.
    InvalidModelError
        MODEL_INVALID, if the model breaks the rules of ONNX; WEIGHTS_NOT_FINITE; WEIGHTS_OUTSIDE_MODEL, if its weights
        are outside of its folder.
    UnsupportedError
        LAYER_UNSUPPORTED, with the name of the node's first output, its type, and what could be done;
        FEATURE_UNSUPPORTED, for inputs, outputs and versions of operators.
    """
    model = read_source(source)
    graph = model.graph
    if graph.sparse_initializer:
        field = graph.sparse_initializer[0].values.name
        raise error(Reason.FEATURE_UNSUPPORTED, "sparse weights", field=field, hint="export them as dense ones")
    network = Network(model)
    served = [each for each in network.outputs if _is_served(network, each)]
    if not served:
        got = ", ".join(network.outputs) or "none"
        raise error(Reason.FEATURE_UNSUPPORTED, "no output of floats", field="graph.output", got=got)

    writer = GraphWriter(
        name or _name_of(source, model), description=graph.doc_string, metadata=_metadata(model, network)
    )
    batch = batch_of(network)
    t = Translation(network, writer, batch)
    if batch is not None:
        t.notes.append(f"The graph is fixed to batches of {batch}; the model takes any.")
    steps = plan(network, served)
    add_inputs(t, {need for step in steps for need in step.needs} | set(served))
    for step in steps:
        _take(t, step)
    outputs = _outputs(t, served)
    t.notes += [
        f"Output {each!r} is left out: it is no array of floats." for each in network.outputs if each not in served
    ]
    if left_out := [node.name for node in network.nodes if _is_left_out(t, node)]:
        t.notes.append(f"Left out, because they change nothing: {', '.join(left_out)}.")

    written = writer.model([each for _, each in outputs])
    inputs = [End(tensor, symbol.name, symbol.shape) for tensor, symbol in t.inputs.items()]
    ends = [
        End(_array_of(model, network, tensor), output, symbol.shape)
        for (tensor, symbol), output in zip(outputs, written.outputs, strict=True)
    ]
    return Converted(written, reference_of(model, inputs, ends, batch), tuple(t.notes))


def _is_left_out(t: Translation, node: Node) -> bool:
    is_copy = node.op in ("Dropout", "Identity") and t.network.is_transparent(node)
    return (is_copy or node.name in t.left_out) and node.name not in t.network.outputs


def _is_served(network: Network, output: str) -> bool:
    kind = network.outputs[output]
    if kind.HasField("tensor_type"):
        return kind.tensor_type.elem_type in FLOATS
    return network.source(output) != output  # a list of probabilities by label is the array that they are in


def _name_of(source: str | os.PathLike[str] | onnx.ModelProto, model: onnx.ModelProto) -> str:
    return model_name(model.graph.name if isinstance(source, onnx.ModelProto) else Path(source).stem)


def _array_of(model: onnx.ModelProto, network: Network, output: str) -> str:
    """Return an output that is the array which this one is; of a list of probabilities by label, a new output."""
    if network.outputs[output].HasField("tensor_type"):
        return output
    source = network.source(output)
    if source not in network.outputs:
        model.graph.output.append(onnx.helper.make_tensor_value_info(source, onnx.TensorProto.FLOAT, None))
    return source


def _metadata(model: onnx.ModelProto, network: Network) -> dict[str, str]:
    made_by = " ".join(part for part in (model.producer_name, model.producer_version) if part)
    ours = {"converted_from": f"ONNX, {made_by}" if made_by else "ONNX"}
    return {each.key: each.value for each in model.metadata_props} | ours | classes(network)


def _take(t: Translation, step: Step) -> None:
    """Compute a node, or write its layer."""
    node = step.node
    if is_foldable(node, t.network.constants):
        t.network.constants |= fold(node, t.network.constants)
    elif node.op == "Shape":
        t.network.constants[node.outputs[0]] = shape_of(t, node)
    else:
        try:
            given = step.write(t, node)
        except NumbatchError:
            raise
        except Exception as wrong:  # attributes or inputs that make no sense can fail anywhere
            problem = f"its attributes or inputs do not fit: {wrong}"
            raise node.refusal(problem, reason=Reason.MODEL_INVALID) from wrong
        each = given if isinstance(given, list) else [given]
        for tensor, symbol in zip(node.outputs, each, strict=False):
            if symbol is not None:
                t.symbols[tensor] = symbol
                t.tensors.setdefault(symbol.name, tensor)


def _outputs(t: Translation, served: list[str]) -> list[tuple[str, Symbol]]:
    """Return the outputs' arrays; one that is an array of another name, too, becomes a layer that computes nothing."""
    outputs: list[tuple[str, Symbol]] = []
    for output in served:
        if output not in t.symbols:
            raise error(Reason.FEATURE_UNSUPPORTED, "an output that is constant", field=output, hint="leave it out")
        symbol = t.symbols[output]
        tensor = t.tensors.get(symbol.name)  # None: an input
        if symbol.integer:
            raise error(Reason.FEATURE_UNSUPPORTED, "an output of row numbers", field=output, hint="leave it out")
        if tensor != output:
            symbol = t.writer.activation(symbol, "linear", name=output)
        outputs.append((output, symbol))
    return outputs
