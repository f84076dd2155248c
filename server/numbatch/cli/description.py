"""A model described: as one dictionary, which is the JSON form, and as text for people, which is made from it."""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from numbatch.v1.repository_pb2 import ModelMetadata
from numbatch.wire.precision import precision_name
from numbatch.wire.tensors import data_type_name, shape_text

if TYPE_CHECKING:
    from numbatch.cli.measurement import Timing
    from numbatch.engine import ModelSummary

Description = Mapping[str, Any]


def of_summary(
    summary: "ModelSummary", version: int | None, *, held_bytes: int | None = None, measured: Description | None = None
) -> Description:
    """Describe a model on disk.

    Parameters
    ----------
    summary : ModelSummary
        What the engine says of it. In which precision its weights are kept is decided when it is loaded: None.
    version : int or None
        None where its place does not tell.
    held_bytes : int, optional
        What it takes in memory when it is loaded.
    measured : dict, optional
        From `of_timings`.
    """
    shapes = {layer.name: layer.output_shape for layer in summary.layers}
    return {
        "name": summary.name,
        "version": version,
        "description": summary.description,
        "numeric_contract": summary.numeric_contract,
        "weights_precision": None,
        "inputs": [_array(spec.name, spec.shape, spec.data_type) for spec in summary.inputs],
        "outputs": [_array(name, shapes[name], "float32") for name in summary.outputs],
        **_layers(summary.layers),
        "held_bytes": held_bytes,
        "measured": measured,
        "metadata": dict(summary.user_metadata),
    }


def of_metadata(metadata: ModelMetadata) -> Description:
    """Describe a model on a server."""
    return {
        "name": metadata.status.model_name,
        "version": metadata.status.model_version,
        "description": metadata.description,
        "numeric_contract": metadata.numeric_contract,
        "weights_precision": precision_name(metadata.weights_precision) or "f32",  # a server from before the field
        "inputs": [_array(spec.name, spec.shape, data_type_name(spec.data_type)) for spec in metadata.inputs],
        "outputs": [_array(spec.name, spec.shape, data_type_name(spec.data_type)) for spec in metadata.outputs],
        **_layers(metadata.layers),
        "held_bytes": None,
        "measured": None,
        "metadata": dict(metadata.metadata),
    }


def of_timings(timings: Iterable["Timing"], instruction_set: str, threads: int) -> Description:
    """Describe how long a model takes on this machine."""
    return {
        "instruction_set": instruction_set,
        "compute_threads": threads,
        "batches": [timing._asdict() for timing in timings],
    }


def as_text(model: Description) -> RenderableType:
    """Return a description for people: a heading, the table of layers, the metadata."""
    version = f"/{model['version']}" if model["version"] else ""
    arithmetic = f"  arithmetic {model['numeric_contract']}"
    if model["weights_precision"]:
        arithmetic += f", weights {model['weights_precision']}"
    heading = Text.assemble((f"{model['name']}{version}", "bold"), arithmetic)
    lines = [model["description"]] if model["description"] else []
    lines += [f"{kind:<8} {_arrays(model[kind])}" for kind in ("inputs", "outputs")]
    below: list[RenderableType] = []
    for part in (_costs(model), _metadata(model["metadata"])):
        texts = list(map(Text, part))
        below += ["", *texts] if texts else []
    return Group(heading, *map(Text, lines), "", _table(model), *below)


def _costs(model: Description) -> Iterator[str]:
    if model["held_bytes"] is not None:
        yield f"memory   {model['held_bytes']:,} bytes: packed weights, and scratch memory for one batch"
    if model["measured"]:
        measured = model["measured"]
        threads = f"{measured['compute_threads']} thread{'s' * (measured['compute_threads'] > 1)}"
        times = " and ".join(
            f"{_duration(batch['seconds_per_row'])} a row "
            + ("alone" if batch["rows"] == 1 else f"in batches of {batch['rows']:,}")
            for batch in measured["batches"]
        )
        yield f"time     {times}: medians on random rows, on this machine ({measured['instruction_set']}, {threads})"


def _duration(seconds: float) -> str:
    for unit, name in ((1.0, "s"), (1e-3, "ms"), (1e-6, "us")):
        if seconds >= unit:
            return f"{seconds / unit:.3g} {name}"
    return f"{seconds / 1e-9:.3g} ns"


def _table(model: Description) -> Table:
    table = Table(box=box.SIMPLE, show_edge=False, show_footer=True, pad_edge=False)
    layers = model["layers"]
    table.add_column("layer", f"{len(layers)} layers" if len(layers) != 1 else "1 layer", no_wrap=True)
    table.add_column("kind")
    if not _is_chain(model):
        table.add_column("takes")
    table.add_column("output", no_wrap=True)
    table.add_column("activation")
    table.add_column("parameters", f"{model['parameter_count']:,}", justify="right")
    table.add_column("bytes packed", f"{model['packed_bytes']:,}", justify="right")
    for layer in layers:
        cells = [layer["name"], layer["kind"]]
        cells += [] if _is_chain(model) else [", ".join(layer["inputs"])]
        cells += [shape_text(layer["output_shape"]), layer["activation"] or "-"]
        table.add_row(*map(Text, [*cells, f"{layer['parameter_count']:,}", f"{layer['packed_bytes']:,}"]))
    return table


def _is_chain(model: Description) -> bool:
    """Return whether each layer takes the one before it, so that there is nothing to say about it."""
    names = [spec["name"] for spec in model["inputs"]] + [layer["name"] for layer in model["layers"]]
    return len(model["inputs"]) == 1 and all(
        layer["inputs"] == [before] for layer, before in zip(model["layers"], names, strict=False)
    )


def _metadata(metadata: Mapping[str, str]) -> Iterator[str]:
    width = max(map(len, metadata), default=0)
    for key in sorted(metadata):
        yield f"{key:<{width}}  {metadata[key]}"


def _arrays(arrays: list[Description]) -> str:
    return ", ".join(f"{array['name']} {_type(array)}{shape_text(array['shape'], batch=True)}" for array in arrays)


def _type(array: Description) -> str:
    return "" if array["data_type"] == "float32" else f"{array['data_type']} "


def _array(name: str, shape: Any, data_type: str) -> Description:
    return {"name": name, "data_type": data_type, "shape": list(shape)}


def _layers(layers: Any) -> Description:
    """Describe the layers: the engine's `LayerInfo` and the contract's `LayerSummary` have the same attributes."""
    described = [
        {
            "name": layer.name,
            "kind": layer.kind,
            "inputs": list(layer.inputs),
            "output_shape": list(layer.output_shape),
            "activation": layer.activation,
            "parameter_count": layer.parameter_count,
            "packed_bytes": layer.packed_bytes,
        }
        for layer in layers
    ]
    totals = {key: sum(layer[key] for layer in described) for key in ("parameter_count", "packed_bytes")}
    return {"layers": described, **totals}
