"""Lookups of rows of tables, and their pooling."""

from collections.abc import Mapping

from numbatch.convert.torch.conversion import Conversion, Converter, computed_numbers
from numbatch.convert.torch.program import Node, refused
from numbatch.convert.torch.values import Value
from numbatch.wire.graph import Symbol
from numbatch.wire.tensors import shape_text

_MODES = {0: "sum", 1: "mean"}


def _embedding(c: Conversion, node: Node) -> Value:
    ids, name = _ids(c, node, "indices"), c.name(node)
    if len(ids.shape) < len(ids.axes):  # single numbers: each is a sum over one
        return Value(_lookup(c, node, ids, "sum", name), c.shape(node))
    if all(user is not None and is_pooling(c, user) for user in c.users(node)):
        # The layer that pools looks up by itself, and there is none for the rows.
        raise refused(node, "its rows are pooled", expected="pooling")
    return Value(_lookup(c, node, ids, "", name), c.shape(node))


def _lookup(c: Conversion, node: Node, ids: Value, pooling: str, name: str, padding_id: int | None = None) -> Symbol:
    """Add a lookup of all of an array of row numbers, or of a part of them."""
    table, (start, stop) = c.required(node, "weight"), ids.part or (0, 0)
    return c.graph.embedding(
        ids.symbol, table, pooling=pooling, padding_id=padding_id, start=start, stop=stop, name=name
    )


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
    ids = _ids(c, source, "indices")
    if len(ids.shape) < len(ids.axes):
        raise refused(node, "over rows of single numbers", expected="over those of one array of numbers")
    if all(user is not None and is_pooling(c, user) for user in c.users(source)):
        c.note(f"{source.place} looks up and {c.name(node)} pools: they are one layer, {c.name(node)}.")
    else:
        c.note(f"The table of {source.place} is there twice: {c.name(node)} pools rows that others take as they are.")
    name = c.inner_name(node, (*ids.shape[:-1], c.shape(source)[-1]))
    return c.shaped(node, _lookup(c, source, ids, node.operation, name))


def _embedding_bag(c: Conversion, node: Node) -> Value:
    """Convert an EmbeddingBag of a matrix of numbers: in PyTorch one long list, and the places where rows begin."""
    mode = _MODES.get(node.arguments.get("mode", 0))
    if mode is None:
        raise refused(node, "mode 'max'", expected="'sum' or 'mean'")
    if node.arguments.get("per_sample_weights") is not None:
        raise refused(node, "per_sample_weights", expected="none", hint="embed, multiply, then sum, in the client")
    listed, places = c.maker(node.arguments["indices"]), c.maker(node.arguments["offsets"])
    hint = "call it with a matrix of numbers [batch, n], without offsets; padding_idx fills shorter rows"
    if places is None or places.operation != "arange" or places.arguments.get("start", 0) != 0:
        raise refused(node, "bags by offsets", expected="a matrix of numbers", hint=hint)
    if listed is not None and listed.operation in ("reshape", "view"):
        ids = _ids(c, listed, "self")
    else:  # one number for each row
        ids = _ids(c, node, "indices")
    if len(ids.axes) != 1 or places.arguments.get("step", 1) != ids.axes[0]:
        raise refused(node, f"bags of {shape_text(ids.axes)}", expected="a matrix of numbers", hint=hint)
    padding = node.arguments.get("padding_idx")
    padding = None if padding is None or padding < 0 else padding
    return Value(_lookup(c, node, ids, mode, c.name(node), padding), c.shape(node))


def _ids(c: Conversion, node: Node, name: str) -> Value:
    ids = c.value(node, name)
    if not ids.symbol.integer:
        raise computed_numbers(node)
    return ids


CONVERTERS: Mapping[str, Converter] = {
    "embedding": _embedding,
    **dict.fromkeys(("embedding_bag", "_embedding_bag", "_embedding_bag_forward_only"), _embedding_bag),
}
