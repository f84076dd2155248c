"""A comparison of two models: as one dictionary, which is the JSON form, and as text for people, made from it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from numbatch.cli.layer_pairs import LayerPair
from numbatch.cli.sinks import json_number
from numbatch.convert.difference import Difference
from numbatch.wire.tensors import shape_text

Report = Mapping[str, Any]

_COLUMNS = ("max_abs", "rms", "relative_rms", "max_relative", "max_ulp", "max_ulp_of_largest")


def layer_report(pair: LayerPair, difference: Difference) -> Report:
    """Describe how far one layer's outputs are apart."""
    numbers = {name: getattr(difference, name) for name in _COLUMNS}
    return {
        "name": pair.baseline,
        "shape": list(pair.shape),
        "output": pair.is_output,
        **{name: None if number is None else json_number(np.float64(number)) for name, number in numbers.items()},
        "same_largest": difference.same_largest if pair.shape[-1] > 1 else None,
    }


def as_text(report: Report) -> RenderableType:
    """Return a report for people: which models on which rows, their memory and accuracy, the table of layers."""
    models = (report["baseline"], report["candidate"])
    first, second = map(_model, models)
    rows = f"{report['rows']:,} " + (
        "random rows"
        if report["input"] is None
        else f"rows of {'standard input' if report['input'] == '-' else report['input']}"
    )
    lines = [f"{second} against {first}, on {rows}", ""]
    first, second = (f"{model['packed_bytes']:,} bytes" for model in models)
    lines += [f"weights   {second} against {first}"]
    if report["baseline"]["accuracy"] is not None:
        first, second = (f"{model['accuracy']:.2%}" for model in models)
        lines += [f"accuracy  {second} against {first}"]
    return Group(*map(Text, lines), "", _table(report))


def _table(report: Report) -> Table:
    table = Table(box=box.SIMPLE, show_edge=False, pad_edge=False)
    table.add_column("layer", no_wrap=True)
    table.add_column("output", no_wrap=True)
    for name in (*_COLUMNS, "same_largest"):
        table.add_column(name.replace("_", " "), justify="right", no_wrap=True)
    for layer in report["layers"]:
        numbers = ["-" if layer[name] is None else f"{float(layer[name]):.3g}" for name in _COLUMNS]
        same = "-" if layer["same_largest"] is None else f"{layer['same_largest']:.2%}"
        table.add_row(*map(Text, [layer["name"], shape_text(layer["shape"]), *numbers, same]))
    return table


def _model(model: Report) -> str:
    version = f"/{model['version']}" if model["version"] else ""
    return f"{model['name']}{version} {model['weights_precision']}"
