"""Lookups of rows of tables, and their pooling."""

from collections.abc import Mapping

from numbatch.convert.torch.conversion import Conversion, Converter, Value
from numbatch.convert.torch.program import Node, refused
from numbatch.wire.tensors import shape_text

_MODES = {0: "sum", 1: "mean"}


def _embedding(c: Conversion, node: Node) -> Value:
    ids, table = _ids(c, node, "indices"), c.required(node, "weight")
    if not ids.shape:  # one number for each row: a sum over one
        return Value(c.graph.embedding(ids.symbol, table, pooling="sum", name=c.name(node)), c.shape(node))
    if all(user is not None and is_pooling(c, user) for user in c.users(node)):
        # The layer that pools looks up by itself, and there is none for the rows.
        raise refused(node, "its rows are pooled", expected="pooling")
    return Value(c.graph.embedding(ids.symbol, table, name=c.name(node)), c.shape(node))


def is_pooling(c: Conversion, node: Node) -> bool:
    """Whether a node is a sum or mean over the numbers that a lookup took last."""
    source = c.maker(node.arguments.get("self"))
    if node.operation not in ("sum", "mean") or source is None or source.operation != "embedding":
        return False
    rank = len(c.shape(source)) + 1
    return rank > 2 and node.arguments.get("dim") in ([-2], [rank - 2])


def pooled(c: Conversion, node: Node) -> Value:
    """Convert a sum or mean of looked-up rows, with the lookup."""
    source = c.maker(node.arguments["self"])
    assert source is not None
    ids, table = _ids(c, source, "indices"), c.required(source, "weight")
    if all(user is not None and is_pooling(c, user) for user in c.users(source)):
        c.note(f"{source.place} looks up and {c.name(node)} pools: they are one layer, {c.name(node)}.")
    else:
        c.note(f"The table of {source.place} is there twice: {c.name(node)} pools rows that others take as they are.")
    name = c.inner_name(node, (*ids.shape[:-1], table.shape[-1]))
    return c.shaped(node, c.graph.embedding(ids.symbol, table, pooling=node.operation, name=name))


def _embedding_bag(c: Conversion, node: Node) -> Value:
    """Convert an EmbeddingBag of a matrix of numbers: in PyTorch one long list, and the places where rows begin."""
    mode = _MODES.get(node.arguments.get("mode", 0))
    if mode is None:
        raise refused(node, "mode 'max'", expected="'sum' or 'mean'")
    if node.arguments.get("per_sample_weights") is not None:
        raise refused(node, "per_sample_weights", expected="none", hint="embed, multiply, then sum, in the client")
    listed, places = c.maker(node.arguments["indices"]), c.maker(node.arguments["offsets"])
    hint = "call it with a matrix of numbers [batch, n], without offsets; padding_idx fills shorter rows"
    if listed is None or places is None or listed.operation not in ("reshape", "view") or places.operation != "arange":
        raise refused(node, "bags by offsets", expected="a matrix of numbers", hint=hint)
    ids = _ids(c, listed, "self")
    if len(ids.shape) != 1 or places.arguments.get("step", 1) != ids.shape[0] or places.arguments.get("start", 0) != 0:
        raise refused(node, f"bags of {shape_text(ids.shape)}", expected="a matrix of numbers", hint=hint)
    padding = node.arguments.get("padding_idx")
    padding = None if padding is None or padding < 0 else padding
    table, name = c.required(node, "weight"), c.name(node)
    symbol = c.graph.embedding(ids.symbol, table, pooling=mode, padding_id=padding, name=name)
    return Value(symbol, c.shape(node))


def _ids(c: Conversion, node: Node, name: str) -> Value:
    ids = c.value(node, name)
    if not ids.symbol.integer:
        hint = "row numbers must come as an integer input of the network, not as the result of a computation"
        raise refused(node, "computed row numbers", expected="an integer input", hint=hint)
    return ids


CONVERTERS: Mapping[str, Converter] = {
    "embedding": _embedding,
    **dict.fromkeys(("embedding_bag", "_embedding_bag", "_embedding_bag_forward_only"), _embedding_bag),
}
