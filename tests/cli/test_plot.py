"""The drawing of a graph: nothing covers anything, lines lead where they should, and it is the same each time."""

from itertools import combinations, pairwise
from xml.etree import ElementTree

import numpy as np
import pytest

from numbatch.cli.description import Description, of_summary
from numbatch.cli.plot import svg_of
from numbatch.cli.plot_layout import Layout, lay_out
from numbatch.cli.plot_ranks import is_bend, ranks_of
from numbatch.engine import validate_model
from numbatch.v1.model_pb2 import Model
from numbatch.wire.graph import GraphWriter
from support.towers import tower

Graph = dict[str, list[str]]

CHAIN: Graph = {"x": []} | {f"layer_{i}": [f"layer_{i - 1}" if i else "x"] for i in range(40)}
RESIDUAL: Graph = {"x": [], "a": ["x"], "b": ["a"], "sum": ["x", "b"], "c": ["sum"], "end": ["sum", "c"]}
WIDE: Graph = {f"id_{i}": [] for i in range(30)} | {f"table_{i}": [f"id_{i}"] for i in range(30)}
WIDE |= {"all": [f"table_{i}" for i in range(30)], "end": ["all"]}
CONNECTED: Graph = {f"layer_{i}": [f"layer_{j}" for j in range(i)] for i in range(9)}
TWICE: Graph = {"x": [], "double": ["x", "x"]}
ALONE: Graph = {"x": [], "y": [], "of_x": ["x"]}
LONG: Graph = {"x": []} | {f"l{i}": [f"l{i - 1}" if i else "x"] for i in range(1000)}
DENSE: Graph = {f"l{i}": [f"l{j}" for j in range(i)] for i in range(20)}
GRAPHS = {
    "chain": CHAIN,
    "residual": RESIDUAL,
    "wide": WIDE,
    "connected": CONNECTED,
    "twice": TWICE,
    "alone": ALONE,
}


def laid_out(graph: Graph) -> Layout:
    return lay_out(graph, {name: (40.0 + 9 * len(name), 60.0) for name in graph})


@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
def test_boxes_do_not_touch_and_lie_inside(graph: Graph) -> None:
    layout = laid_out(graph)
    assert layout.centres.keys() == graph.keys()
    for name, (x, y) in layout.centres.items():
        width, height = layout.sizes[name]
        assert width / 2 - 0.01 <= x <= layout.size[0] - width / 2 + 0.01
        assert height / 2 - 0.01 <= y <= layout.size[1] - height / 2 + 0.01
    for one, other in combinations(graph, 2):
        apart = [abs(a - b) for a, b in zip(layout.centres[one], layout.centres[other], strict=True)]
        needed = [(a + b) / 2 + 8 for a, b in zip(layout.sizes[one], layout.sizes[other], strict=True)]
        assert apart[0] >= needed[0] or apart[1] >= needed[1], (one, other)


@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
def test_lines_go_from_what_gives_to_what_takes_around_the_other_boxes(graph: Graph) -> None:
    layout = laid_out(graph)
    assert [(line.source, line.target) for line in layout.lines] == [(s, name) for name in graph for s in graph[name]]
    along = 1 if layout.down else 0
    for line in layout.lines:
        for end, name, side in ((line.points[0], line.source, 1), (line.points[-1], line.target, -1)):
            offset = [a - b for a, b in zip(end, layout.centres[name], strict=True)]
            assert offset[along] == pytest.approx(side * layout.sizes[name][along] / 2)
            assert abs(offset[1 - along]) <= layout.sizes[name][1 - along] / 2
        steps = [b[along] - a[along] for a, b in pairwise(line.points)]
        assert min(steps) >= -1e-6  # never back
        for start, _ in list(pairwise(line.points))[2:-1:2]:
            for name, centre in layout.centres.items():
                beside = abs(start[1 - along] - centre[1 - along]) > layout.sizes[name][1 - along] / 2
                passed = not centre[along] - layout.sizes[name][along] / 2 <= start[along] + 1 <= centre[along]
                assert beside or passed, (line, name)


def test_a_chain_is_straight_and_what_skips_a_part_of_it_goes_around() -> None:
    layout = laid_out(RESIDUAL)
    places = [layout.centres[name][0 if layout.down else 1] for name in ("a", "b", "sum", "c")]
    assert max(places) - min(places) < 1
    assert [(line.source, line.target) for line in layout.lines if line.skips] == [("x", "sum"), ("sum", "end")]


def test_a_chain_goes_down_and_a_wide_graph_to_the_right() -> None:
    assert laid_out(CHAIN).down
    assert not laid_out(WIDE).down


def test_a_box_where_many_lines_meet_is_large_enough_for_them() -> None:
    layout = laid_out(WIDE)
    ends = sorted(line.points[-1][1] for line in layout.lines if line.target == "all")
    assert min(b - a for a, b in pairwise(ends)) >= 7.9


def test_towers_do_not_cross() -> None:
    graph: Graph = {"a": [], "b": [], "c": [], "c1": ["c"], "a1": ["a"], "b1": ["b"], "all": ["a1", "b1", "c1"]}
    inputs, tables, _ = ranks_of(graph).order
    assert [name[0] for name in inputs] == [name[0] for name in tables]


def test_inputs_stand_just_before_what_takes_them() -> None:
    order = ranks_of({"x": [], "late": [], "a": ["x"], "b": ["a"], "sum": ["b", "late"]}).order
    assert [sorted(rank) for rank in order] == [["x"], ["a"], ["b", "late"], ["sum"]]
    assert not any(is_bend(name) for rank in order for name in rank)


def described(model: Model) -> Description:
    return of_summary(validate_model(model), 1)


def texts(svg: str) -> list[str]:
    root = ElementTree.fromstring(svg)
    return [element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}text")]


def test_boxes_say_what_layers_are() -> None:
    found = texts(svg_of(described(tower())))
    assert found[0] == "tower/1, 10 layers, 1,985 parameters"
    for lines in (
        ["user", "input, int32", "[1]"],
        ["users", "embedding", "[1, 8] · 400 parameters"],
        ["wide", "dense, gelu_erf", "[24] · 600 parameters"],
        ["residual", "add", "[24]"],
        ["kind", "dense, softmax", "[3] · 72 parameters"],
    ):
        assert any(found[i : i + 3] == lines for i in range(len(found))), lines


def test_outputs_have_a_second_border_and_skipping_lines_stand_out() -> None:
    svg = svg_of(described(tower()))
    assert svg.count('<rect class="output"') == 2
    assert svg.count('<path class="wire skip"') == 1
    assert "@media (prefers-color-scheme:dark)" in svg


def test_it_is_the_same_each_time() -> None:
    assert svg_of(described(tower())) == svg_of(described(tower()))


@pytest.mark.parametrize("name", ["block.1/attention:0", "a" * 100])
def test_names_are_shown_and_long_ones_shortened(name: str) -> None:
    graph = GraphWriter("net")
    model = graph.model([graph.dense(graph.input("x", [2]), np.ones((2, 2)), name=name)])
    svg = svg_of(described(model))
    (shown,) = [text for text in texts(svg) if text[0] == name[0]]
    assert shown == name if len(name) <= 36 else (len(shown), shown[12]) == (36, "…")
    assert f"<title>{name}</title>" in svg


def test_what_xml_reads_otherwise_is_escaped() -> None:
    model = dict(described(tower())) | {"name": "a<b&c", "version": None}
    assert texts(svg_of(model))[0].startswith("a<b&c, ")


@pytest.mark.parametrize("graph", [LONG, DENSE], ids=["long", "dense"])
def test_large_graphs_are_laid_out(graph: Graph) -> None:
    assert len(laid_out(graph).lines) == sum(map(len, graph.values()))
