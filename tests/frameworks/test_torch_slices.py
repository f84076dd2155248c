"""Parts of arrays and columns of row numbers, against PyTorch itself."""

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from torch import nn  # noqa: E402
from torch.export import Dim, export, save  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from numbatch.convert.torch import from_torch  # noqa: E402
from support.torch_agreement import assert_agrees  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning")

ROW, SERIES = torch.zeros(1, 6), torch.zeros(1, 3, 6)
COLUMNS, LISTS = torch.zeros(1, 4, dtype=torch.int64), torch.zeros(1, 2, 4, dtype=torch.int64)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


class Net(nn.Module):
    """A module around a function."""

    def __init__(self, function: Any, *parts: Any) -> None:
        super().__init__()
        self.function = function
        self.parts = nn.ModuleList(parts)

    def forward(self, *arrays: Any) -> Any:
        return self.function(*self.parts, *arrays)


def kinds(model: Any) -> list[str]:
    return [layer.WhichOneof("kind") for layer in model.layers]


def lookups(model: Any) -> list[tuple[str, int, int]]:
    """Names of layers that look up, and which of the numbers each takes."""
    of = [layer for layer in model.layers if layer.WhichOneof("kind") == "embedding"]
    return [(layer.name, layer.embedding.start, layer.embedding.stop) for layer in of]


# Of rows of 6 and of 3 times 6 alike.
PARTS: dict[str, Any] = {
    "the first": lambda x: x[..., :2],
    "inner ones": lambda x: x[..., 1:4],
    "negative bounds": lambda x: x[..., -5:-2] + x[..., -3:],
    "bounds beyond the end": lambda x: x[..., 4:100],
    "all": lambda x: x[..., :] * 2 + x[:, 0:],
    "a part of a part": lambda x: x[..., 1:5][..., 1:-1],
    "chunks": lambda x: x.chunk(4, -1)[1] - x.chunk(3, -1)[2],
    "chunks of other lengths": lambda x: (*torch.cat([x, x[..., :1]], -1).chunk(3, -1),),
    "parts of one length": lambda x: x.split(4, dim=-1),
    "parts of given lengths": lambda x: x.split([1, 3, 2], dim=-1)[1:],
    "sections": lambda x: x.tensor_split(4, -1),
    "sections at places": lambda x: x.tensor_split([2, -1], -1),
    "narrow": lambda x: x.narrow(-1, 1, 3) * x.narrow(-1, -3, 3),
    "a column": lambda x: x[..., 2],
    "the last column": lambda x: torch.relu(x[..., -1]),
    "columns, computed with": lambda x: x[..., 0] * x[..., 1] - 0.5 * x[..., 2] + 1,
    "columns, stacked": lambda x: torch.stack([x[..., 3], x[..., 0]], -1),
    "columns, side by side": lambda x: torch.cat([x[..., 3:4], x[..., 1].unsqueeze(-1), x], -1),
    "a column times the others": lambda x: x[..., :1] * x[..., 1:] + x[..., 5, None],
    "all columns": lambda x: torch.stack(x.unbind(-1)[::-1], dim=-1),
    "a gate": lambda x: F.glu(x),
    "a gate by hand": lambda x: (lambda a, b: a * torch.sigmoid(b))(*x.chunk(2, dim=-1)),
    "a sum of a part": lambda x: x[..., 1:4].sum(-1) + x[..., 5],
}


@pytest.mark.parametrize("example", [ROW, SERIES], ids=["rows", "series"])
@pytest.mark.parametrize("part", PARTS)
def test_parts_of_the_last_axis(part: str, example: Any) -> None:
    assert_agrees(from_torch(Net(PARTS[part]), example=example))


@pytest.mark.parametrize("part", PARTS)
def test_programs_and_files_have_the_same_parts(part: str, tmp_path: Path) -> None:
    module = Net(PARTS[part]).eval()
    program = export(module, (SERIES.expand(2, -1, -1).clone(),), dynamic_shapes=[({0: Dim.AUTO},)])
    save(program, tmp_path / "m.pt2")
    converted = from_torch(tmp_path / "m.pt2", name="m")
    assert converted.model == from_torch(program, name="m").model == from_torch(module, example=SERIES, name="m").model
    assert_agrees(converted)
    assert_agrees(from_torch(program.run_decompositions()))


def test_a_part_of_all_is_no_layer() -> None:
    assert kinds(from_torch(Net(lambda x: torch.relu(x[:, :][:, 0:6][: x.shape[0]])), example=ROW).model) == [
        "activation"
    ]


def test_parts_of_weights_are_cut_once() -> None:
    class Cut(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.both = nn.Parameter(torch.randn(10, 6))
            self.scale = nn.Parameter(torch.randn(3, 5))

        def forward(self, x: Any) -> Any:
            up, gate = self.both.chunk(2)
            return F.linear(x, up) * self.scale[1] + F.linear(x, gate) * self.scale[:, ::2][0, 1]

    converted = from_torch(Cut(), example=ROW)
    assert_agrees(converted)
    assert kinds(converted.model) == ["dense", "batch_normalization", "dense", "batch_normalization", "add"]


def test_columns_of_whole_numbers_may_be_numbers() -> None:
    converted = from_torch(Net(lambda x: x[:, 1:3].float() * 2 + x[:, 0].unsqueeze(1).float()), example=COLUMNS)
    assert_agrees(converted)
    assert "Input arrays_0 is int64 in PyTorch; the model takes it as float32." in converted.notes


# What is looked up, of which of the numbers.
COLUMNS_OF: dict[str, tuple[Any, Any, tuple[int, int]]] = {
    "a column": (lambda table, ids: table(ids[:, 1]), COLUMNS, (1, 2)),
    "the last": (lambda table, ids: table(ids[:, -1]), COLUMNS, (3, 4)),
    "one, with its axis": (lambda table, ids: table(ids[:, 2:3]), COLUMNS, (2, 3)),
    "one, without and with": (lambda table, ids: table(ids[:, 2].unsqueeze(1)).squeeze(1), COLUMNS, (2, 3)),
    "the row of one": (lambda table, ids: table(ids[:, 2:3])[:, 0], COLUMNS, (2, 3)),
    "some": (lambda table, ids: table(ids[:, 1:3]), COLUMNS, (1, 3)),
    "some of some": (lambda table, ids: table(ids[:, 1:][:, -2:][:, :1]), COLUMNS, (2, 3)),
    "some, pooled": (lambda table, ids: table(ids[:, 1:]).mean(1), COLUMNS, (1, 4)),
    "a column of lists": (lambda table, ids: table(ids[..., 1]), LISTS, (1, 2)),
    "a column of lists, and its axis": (lambda table, ids: table(ids[..., 1].unsqueeze(-1)), LISTS, (1, 2)),
    "some of lists, pooled": (lambda table, ids: table(ids[..., 1:3]).sum(-2), LISTS, (1, 3)),
    "split": (lambda table, ids: table(ids.split([1, 2, 1], 1)[1]), COLUMNS, (1, 3)),
    "unbound": (lambda table, ids: table(ids.unbind(1)[2]), COLUMNS, (2, 3)),
    "as wide as before": (lambda table, ids: table(ids[:, 1:3].expand(-1, 2)), COLUMNS, (1, 3)),
    "as long": (lambda table, ids: table(ids.int()[:, 3].long()), COLUMNS, (3, 4)),
}


@pytest.mark.parametrize("of", COLUMNS_OF)
def test_a_table_takes_some_of_the_numbers(of: str) -> None:
    function, example, (start, stop) = COLUMNS_OF[of]
    converted = from_torch(Net(function, nn.Embedding(9, 3)), example=example)
    assert_agrees(converted)
    assert [bounds for _, *bounds in lookups(converted.model)] == [[start, stop]]


BAGS: dict[str, Any] = {
    "some": lambda bag, ids: bag(ids[:, 1:3]),
    "one": lambda bag, ids: bag(ids[:, 1:2]),
    "one, with places": lambda bag, ids: bag(ids[:, 1], torch.arange(ids.shape[0])),
}


@pytest.mark.parametrize("padding", [None, 0])
@pytest.mark.parametrize("of", BAGS)
def test_a_bag_takes_some_of_the_numbers(of: str, padding: int | None) -> None:
    converted = from_torch(Net(BAGS[of], nn.EmbeddingBag(9, 3, padding_idx=padding)), example=COLUMNS)
    assert_agrees(converted)
    assert kinds(converted.model) == ["embedding"]


class Tabular(nn.Module):
    """In the manner of fastai's TabularModel, with its range of results."""

    def __init__(self, sizes: list[tuple[int, int]], continuous: int) -> None:
        super().__init__()
        self.embeds = nn.ModuleList([nn.Embedding(rows, units) for rows, units in sizes])
        self.emb_drop, self.bn_cont = nn.Dropout(0.1), nn.BatchNorm1d(continuous)
        width = sum(units for _, units in sizes) + continuous
        hidden = [
            nn.Sequential(nn.Linear(before, after, bias=False), nn.ReLU(inplace=True), nn.BatchNorm1d(after))
            for before, after in ((width, 20), (20, 10))
        ]
        self.layers = nn.Sequential(*hidden, nn.Linear(10, 1))

    def forward(self, x_cat: Any, x_cont: Any) -> Any:
        x = torch.cat([embed(x_cat[:, i]) for i, embed in enumerate(self.embeds)], 1)
        x = torch.cat([self.emb_drop(x), self.bn_cont(x_cont)], 1)
        return torch.sigmoid(self.layers(x)) * (5.5 - 0.5) + 0.5


def test_a_tabular_network_takes_its_categories_as_columns_of_one_input() -> None:
    module = Tabular([(9, 4), (3, 2), (5, 3)], 4)
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm1d):
            nn.init.normal_(norm.running_mean)
            nn.init.uniform_(norm.running_var, 0.2, 3)
    converted = from_torch(module, example=(torch.zeros(1, 3, dtype=torch.int64), torch.zeros(1, 4)))
    assert_agrees(converted)
    assert lookups(converted.model) == [(f"embeds.{i}", i, i + 1) for i in range(3)]
    assert "slice" not in kinds(converted.model)


class Recommender(nn.Module):
    """In the manner of DLRM: dense and sparse features in a tensor each, and products of pairs of what they become."""

    def __init__(self, sizes: list[int], units: int = 4) -> None:
        super().__init__()
        self.bottom = nn.Sequential(nn.Linear(13, 8), nn.ReLU(), nn.Linear(8, units), nn.ReLU())
        self.bags = nn.ModuleList([nn.EmbeddingBag(rows, units, mode="sum") for rows in sizes])
        pairs = len(sizes) * (len(sizes) + 1) // 2
        self.top = nn.Sequential(nn.Linear(units + pairs, 8), nn.ReLU(), nn.Linear(8, 1), nn.Sigmoid())

    def forward(self, dense: Any, sparse: Any) -> Any:
        features = [self.bottom(dense)]
        features += [bag(sparse[:, i : i + 1]) for i, bag in enumerate(self.bags)]
        products = [(a * b).sum(1) for i, a in enumerate(features) for b in features[:i]]
        return self.top(torch.cat([features[0], torch.stack(products, dim=1)], dim=1)).squeeze(1)


def test_a_recommender_takes_its_sparse_features_as_one_input() -> None:
    converted = from_torch(Recommender([5, 9, 3]), example=(torch.zeros(1, 13), torch.zeros(1, 3, dtype=torch.int64)))
    assert_agrees(converted)
    assert lookups(converted.model) == [(f"bags.{i}", i, i + 1) for i in range(3)]


class WholeRow(nn.Module):
    """All in one row of numbers, which is cut in parts."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right, self.out = nn.Linear(13, 8), nn.Linear(3, 8), nn.Linear(9, 1)

    def forward(self, x: Any) -> Any:
        a, b = self.left(x[:, :13]), self.right(x[:, 13:-1])
        return self.out(torch.cat([a * torch.sigmoid(b), x[:, -1].unsqueeze(1)], 1))


def test_a_row_of_all_features_is_cut_in_parts() -> None:
    converted = from_torch(WholeRow(), example=torch.zeros(1, 17))
    assert_agrees(converted)
    assert kinds(converted.model).count("slice") == 3


class FactorisationMachine(nn.Module):
    """A number is looked up in two tables: of weights, and of factors."""

    def __init__(self, sizes: list[int]) -> None:
        super().__init__()
        self.weights = nn.ModuleList([nn.Embedding(rows, 1) for rows in sizes])
        self.factors = nn.ModuleList([nn.Embedding(rows, 4) for rows in sizes])

    def forward(self, ids: Any) -> Any:
        columns = ids.unbind(1)
        linear = sum(table(column) for table, column in zip(self.weights, columns, strict=True))
        factors = [table(column) for table, column in zip(self.factors, columns, strict=True)]
        total, squares = sum(factors), sum(each**2 for each in factors)
        return linear + 0.5 * (total**2 - squares).sum(1, keepdim=True)


def test_row_numbers_are_looked_up_in_several_tables() -> None:
    converted = from_torch(FactorisationMachine([5, 9]), example=torch.zeros(1, 2, dtype=torch.int64))
    assert_agrees(converted)
    assert sorted(lookups(converted.model)) == [
        *((f"factors.{i}", i, i + 1) for i in range(2)),
        *((f"weights.{i}", i, i + 1) for i in range(2)),
    ]


class GatedBlock(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm, self.up, self.down, self.gate = nn.LayerNorm(6), nn.Linear(6, 16), nn.Linear(8, 6), nn.GLU()

    def forward(self, x: Any) -> Any:
        return x + self.down(self.gate(self.up(self.norm(x))))


def test_a_gate_has_the_name_of_its_module() -> None:
    converted = from_torch(nn.Sequential(GatedBlock(), GatedBlock()), example=SERIES)
    assert_agrees(converted)
    names = [layer.name for layer in converted.model.layers if layer.name.startswith("0.gate")]
    assert names == ["0.gate/first", "0.gate/second", "0.gate/gate", "0.gate"]
