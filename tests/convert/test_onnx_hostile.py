"""Damaged models and models that make no sense: every error is ours."""

import random
from pathlib import Path
from typing import Any

import onnx
import pytest

from numbatch.convert import from_onnx
from numbatch.wire.errors import NumbatchError
from support.onnx_models import onnx_model

FILES = sorted((Path(__file__).parent / "fixtures").glob("onnx_*.onnx"))
OPERATORS = """
    Add Mul Sub Div Gemm MatMul Relu Gather Reshape Concat Softmax LayerNormalization BatchNormalization Clip ReduceMean
    ReduceSum Squeeze Unsqueeze Split Slice Transpose Flatten Pow PRelu OneHot Cast Identity Where Sum HardSigmoid Celu
    Shape Constant Expand Tile
""".split()


def read_or_refused(source: Any) -> None:
    try:
        from_onnx(source)
    except NumbatchError:
        pass


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_whatever_the_bytes_are_the_errors_are_ours(file: Path, tmp_path: Path) -> None:
    chance, damaged = random.Random(file.stem), tmp_path / "model.onnx"
    for _ in range(60):
        data = bytearray(file.read_bytes())
        for _ in range(chance.choice([1, 2, 5])):
            data[chance.randrange(len(data))] = chance.randrange(256)
        damaged.write_bytes(data[: chance.choice([len(data), chance.randrange(len(data))])])
        read_or_refused(damaged)


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_whatever_the_graph_says_the_errors_are_ours(file: Path) -> None:
    chance = random.Random(file.stem)
    for _ in range(60):
        model = onnx.load(file)
        for _ in range(chance.choice([1, 2, 3])):
            _change(model.graph, chance)
        read_or_refused(model)


def _change(graph: onnx.GraphProto, chance: random.Random) -> None:
    node, constant = chance.choice(graph.node), chance.choice(graph.initializer)
    tensors = [each.name for each in graph.initializer] + [each.name for each in graph.input]
    tensors += [output for each in graph.node for output in each.output]
    what = chance.randrange(6)
    if what == 0 and node.attribute:
        attribute = chance.choice(node.attribute)
        attribute.i, attribute.f = (
            chance.choice([-5, -1, 0, 1, 2, 7, 2**62]),
            chance.choice([0, float("nan"), -1, 1e38]),
        )
        attribute.ints[:] = [chance.choice([-2, 0, 1, 9]) for _ in attribute.ints]
    elif what == 1 and node.input:
        node.input[chance.randrange(len(node.input))] = chance.choice([*tensors, ""])
    elif what == 2:
        node.op_type = chance.choice(OPERATORS)
    elif what == 3 and constant.dims:
        constant.dims[chance.randrange(len(constant.dims))] = chance.choice([0, 1, 2, -1, 8])
    elif what == 4:
        del node.attribute[:]
    elif node.input:
        del node.input[-1]


def test_a_deep_graph_is_read_like_any_other() -> None:
    body = "t0 = Tanh(x) " + " ".join(f"t{i + 1} = Add(t{i}, x)" for i in range(1500)) + " y = Tanh(t1500)"
    assert len(from_onnx(onnx_model(body)).model.layers) == 1502


def test_a_graph_that_doubles_at_each_node_is_read_once() -> None:
    body = "t0 = Tanh(x) " + " ".join(f"t{i + 1} = Mul(t{i}, t{i})" for i in range(60)) + " y = Tanh(t60)"
    assert len(from_onnx(onnx_model(body)).model.layers) == 62
