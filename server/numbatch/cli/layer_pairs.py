"""Which layers of two models are compared with each other."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from numbatch.cli.exits import CommandError
from numbatch.wire.tensors import shape_text

if TYPE_CHECKING:
    from numbatch.engine import ModelSummary

Shape = tuple[int, ...]


class LayerPair(NamedTuple):
    """A layer of the baseline and one of the candidate, whose outputs have one shape.

    Attributes
    ----------
    baseline, candidate : str
        Their names.
    shape : tuple of int
        The axes of one example.
    is_output : bool
        Whether they are outputs of their models.
    """

    baseline: str
    candidate: str
    shape: Shape
    is_output: bool


def pair_layers(baseline: "ModelSummary", candidate: "ModelSummary", layers: Sequence[str]) -> list[LayerPair]:
    """Return the layers to compare, in the baseline's order: its outputs and those named.

    Outputs are paired by their position, other layers by their name.

    Raises
    ------
    CommandError
        If a model lacks a layer, or the shapes of inputs, outputs or layers differ.
    """
    shapes = {layer.name: layer.output_shape for layer in baseline.layers}
    others = {layer.name: layer.output_shape for layer in candidate.layers}
    _check_same("inputs", [spec.shape for spec in baseline.inputs], [spec.shape for spec in candidate.inputs])
    for one, other in zip(baseline.inputs, candidate.inputs, strict=True):
        if one.data_type != other.data_type:
            expected = f"expected {one.data_type} {one.name!r}, as in the first one"
            raise CommandError(f"inputs: the second model has {other.data_type} {other.name!r}, {expected}")
    _check_same("outputs", [shapes[name] for name in baseline.outputs], [others[name] for name in candidate.outputs])
    outputs = dict(zip(baseline.outputs, candidate.outputs, strict=True))
    for name in layers:
        if name not in shapes:
            raise CommandError(f"layer {name!r}: not in the first model, which has {', '.join(shapes)}")
        if name in outputs:
            continue
        if name not in others:
            raise CommandError(f"layer {name!r}: not in the second model, which has {', '.join(others)}")
        _check_same(f"layer {name!r}", [shapes[name]], [others[name]])
    return [
        LayerPair(name, outputs.get(name, name), shape, name in outputs)
        for name, shape in shapes.items()
        if name in outputs or name in layers
    ]


def _check_same(what: str, baseline: Sequence[Shape], candidate: Sequence[Shape]) -> None:
    if baseline != candidate:
        first, second = (", ".join(map(shape_text, shapes)) for shapes in (baseline, candidate))
        raise CommandError(f"{what}: the second model has {second}, expected {first}, as the first one")
