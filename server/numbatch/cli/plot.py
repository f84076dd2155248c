"""A model's graph as an SVG picture: readable on light and dark, and the same bytes for the same model."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple
from xml.sax.saxutils import escape

from numbatch.cli.description import Description
from numbatch.cli.plot_layout import Layout, Line, Point, Size, lay_out
from numbatch.wire.tensors import shape_text

# Of monospaced type, which is as wide everywhere: the advance of a character by the size of the type.
_ADVANCE = 0.602
_NAME_SIZE, _TEXT_SIZE = 13.0, 11.0
_LONGEST = 36
_LINE_HEIGHT = 16.0
_PADDING = 12.0
_MARGIN = 24.0
_HEADING = 34.0

_FAMILIES = {
    "input": "input",
    "dense": "dense",
    "embedding": "table",
    "add": "join",
    "multiply": "join",
    "concatenate": "join",
    "batch_normalization": "norm",
    "normalization": "norm",
    "layer_normalization": "norm",
}

# Fill and border of each family, on light and on dark.
_COLOURS = {
    "input": ("#eef1f5", "#8a94a3", "#20252c", "#7d8896"),
    "dense": ("#e3eefc", "#4a7fc1", "#16283f", "#5b93d8"),
    "table": ("#f0e7fa", "#8b62b8", "#2a1d3a", "#a27dd0"),
    "join": ("#fdf0d9", "#c08a2e", "#362810", "#d3a24b"),
    "norm": ("#e2f3e6", "#4d9a60", "#15301c", "#63b378"),
    "other": ("#f6f6f4", "#8f8f88", "#262624", "#8f8f88"),
}


class _Box(NamedTuple):
    name: str
    family: str
    lines: tuple[str, ...]
    is_output: bool

    @property
    def size(self) -> tuple[float, float]:
        sizes = [_NAME_SIZE] + [_TEXT_SIZE] * (len(self.lines) - 1)
        width = max(len(line) * size for line, size in zip(self.lines, sizes, strict=True)) * _ADVANCE
        return round(width + 2 * _PADDING), _LINE_HEIGHT * len(self.lines) + _PADDING


def svg_of(model: Description) -> str:
    """Draw a model that `numbatch.cli.description` describes.

    Boxes are inputs and layers, with their kind, activation, shape for one example and parameters; those with a second
    border are outputs. Lines go from what gives an array to what takes it; those that skip layers stand out.
    """
    boxes = {box.name: box for box in _boxes(model)}
    taken = {spec["name"]: [] for spec in model["inputs"]} | {each["name"]: each["inputs"] for each in model["layers"]}
    layout = lay_out(taken, {name: box.size for name, box in boxes.items()})
    heading = _heading(model)
    width = max(layout.size[0], len(heading) * _TEXT_SIZE * _ADVANCE) + 2 * _MARGIN
    height = layout.size[1] + 2 * _MARGIN + _HEADING
    left = (width - layout.size[0]) / 2
    size = f'width="{_n(width)}" height="{_n(height)}" viewBox="0 0 {_n(width)} {_n(height)}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
            f"<title>{escape(heading)}</title>",
            _STYLE,
            '<rect class="page" width="100%" height="100%"/>',
            f'<text class="heading" x="{_n(_MARGIN)}" y="{_n(_MARGIN + 8)}">{escape(heading)}</text>',
            f'<g transform="translate({_n(left)} {_n(_MARGIN + _HEADING)})">',
            *(_wire(line, layout) for line in sorted(layout.lines, key=lambda line: line.skips)),
            *(part for name, box in boxes.items() for part in _drawn(box, layout.centres[name], layout.sizes[name])),
            "</g>",
            "</svg>",
            "",
        ]
    )


def _boxes(model: Description) -> Iterator[_Box]:
    for spec in model["inputs"]:
        lines = (_short(spec["name"]), f"input, {spec['data_type']}", shape_text(spec["shape"]))
        yield _Box(spec["name"], "input", lines, is_output=False)
    outputs = {spec["name"] for spec in model["outputs"]}
    for layer in model["layers"]:
        kind = layer["kind"]
        function = "" if layer["activation"] in ("", "linear", kind) else f", {layer['activation']}"
        count = layer["parameter_count"]
        parameters = f" · {count:,} parameter{'s' * (count > 1)}" if count else ""
        lines = (_short(layer["name"]), f"{kind}{function}", f"{shape_text(layer['output_shape'])}{parameters}")
        yield _Box(layer["name"], _FAMILIES.get(kind, "other"), lines, layer["name"] in outputs)


def _heading(model: Description) -> str:
    version = f"/{model['version']}" if model["version"] else ""
    counts = [(len(model["layers"]), "layer"), (model["parameter_count"], "parameter")]
    return ", ".join([f"{model['name']}{version}", *(f"{n:,} {noun}{'s' * (n != 1)}" for n, noun in counts)])


def _wire(line: Line, layout: Layout) -> str:
    parts = [f"M{_p(line.points[0])}"]
    for i, (start, end) in enumerate(zip(line.points, line.points[1:], strict=False)):
        if i % 2 == 0:
            parts += [f"L{_p(end)}"] if end != start else []
        elif layout.down:
            middle = (start[1] + end[1]) / 2
            parts.append(f"C{_p((start[0], middle))} {_p((end[0], middle))} {_p(end)}")
        else:
            middle = (start[0] + end[0]) / 2
            parts.append(f"C{_p((middle, start[1]))} {_p((middle, end[1]))} {_p(end)}")
    kind = "wire skip" if line.skips else "wire"
    return f'<path class="{kind}" d="{"".join(parts)}"/>{_head(line.points[-1], kind, down=layout.down)}'


def _head(tip: Point, kind: str, *, down: bool) -> str:
    """Return the head of an arrow: drawn here, as markers take no colour of their line everywhere."""
    sides = [(tip[0] - 4, tip[1] - 7), (tip[0] + 4, tip[1] - 7)]
    if not down:
        sides = [(tip[0] - 7, tip[1] - 4), (tip[0] - 7, tip[1] + 4)]
    return f'<path class="{kind.replace("wire", "head")}" d="M{_p(tip)}L{_p(sides[0])}L{_p(sides[1])}Z"/>'


def _drawn(box: _Box, centre: Point, size: Size) -> Iterator[str]:
    width, height = size
    x, y = centre[0] - width / 2, centre[1] - height / 2
    radius = box.size[1] / 2 if box.family == "input" else 5
    text = centre[1] - box.size[1] / 2 + _PADDING / 2
    yield f'<g class="{box.family}"><title>{escape(box.name)}</title>'
    if box.is_output:
        yield _rectangle(x - 4, y - 4, width + 8, height + 8, radius + 4, ' class="output"')
    yield _rectangle(x, y, width, height, radius)
    for i, line in enumerate(box.lines):
        at = f'x="{_n(centre[0])}" y="{_n(text + (i + 0.75) * _LINE_HEIGHT)}"'
        name = ' class="name"' if i == 0 else ""
        yield f"<text{name} {at}>{escape(line)}</text>"
    yield "</g>"


def _rectangle(x: float, y: float, width: float, height: float, radius: float, more: str = "") -> str:
    place = f'x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}" rx="{_n(radius)}"'
    return f"<rect{more} {place}/>"


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST else f"{name[:12]}…{name[13 - _LONGEST :]}"


def _p(point: Point) -> str:
    return f"{_n(point[0])} {_n(point[1])}"


def _n(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")


def _style(colours: Mapping[str, Sequence[str]]) -> str:
    light = [f".{family} rect{{fill:{fill};stroke:{border}}}" for family, (fill, border, *_) in colours.items()]
    dark = [f".{family} rect{{fill:{fill};stroke:{border}}}" for family, (*_, fill, border) in colours.items()]
    return "\n".join(
        [
            "<style>",
            "svg{color-scheme:light dark}",
            'text{font:11px ui-monospace,Menlo,Consolas,"DejaVu Sans Mono",monospace;text-anchor:middle;fill:#4a5058}',
            ".name{font-size:13px;font-weight:600;fill:#14181d}",
            ".heading{text-anchor:start}",
            ".page{fill:#ffffff}",
            ".wire{fill:none;stroke:#98a1ac;stroke-width:1.5}.head{fill:#98a1ac}",
            ".wire.skip{stroke:#d0543a;stroke-width:2}.head.skip{fill:#d0543a}",
            *light,
            "@media (prefers-color-scheme:dark){",
            "text{fill:#b4bcc6}.name{fill:#f0f3f6}.page{fill:#0f1318}",
            ".wire{stroke:#6f7a87}.head{fill:#6f7a87}.wire.skip{stroke:#ef7d62}.head.skip{fill:#ef7d62}",
            *dark,
            "}",
            "g rect.output{fill:none}",
            "</style>",
        ]
    )


_STYLE = _style(_COLOURS)
