"""Modules of PyTorch, traced as they are, against PyTorch itself."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from numbatch.convert.torch import from_torch  # noqa: E402
from support import numpy_model  # noqa: E402
from support.torch_agreement import assert_agrees  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning")


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def randomised(module: Any) -> Any:
    """With statistics and scales as after training."""
    for each in module.modules():
        if isinstance(each, nn.BatchNorm1d):
            nn.init.normal_(each.running_mean)
            nn.init.uniform_(each.running_var, 0.2, 3)
        if isinstance(each, nn.BatchNorm1d | nn.LayerNorm):
            nn.init.normal_(each.weight)
            nn.init.normal_(each.bias)
    return module


def kinds(model: Any) -> list[tuple[str, str]]:
    return [(layer.name, layer.WhichOneof("kind")) for layer in model.layers]


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(8, 16)
        self.norm = nn.BatchNorm1d(16)
        self.act = nn.ReLU(inplace=True)
        self.drop = nn.Dropout(0.3)
        self.fc2 = nn.Linear(16, 8, bias=False)

    def forward(self, x: Any) -> Any:
        return x + self.fc2(self.drop(self.act(self.norm(self.fc1(x)))))


class ResidualNetwork(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.Sequential(Residual(), Residual())
        self.head = nn.Linear(8, 1)

    def forward(self, x: Any) -> Any:
        return torch.sigmoid(self.head(self.blocks(x))).squeeze(-1)


class WideAndDeep(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.user, self.item = nn.Embedding(11, 4), nn.Embedding(7, 4)
        self.deep = nn.Sequential(nn.Linear(13, 8), nn.SiLU(), nn.Linear(8, 1))
        self.wide = nn.Linear(5, 1)

    def forward(self, user: Any, item: Any, features: Any) -> Any:
        deep = self.deep(torch.cat([self.user(user), self.item(item), features], dim=1))
        return torch.sigmoid(deep + self.wide(features))


class Recommender(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.bottom = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 4), nn.ReLU())
        self.bags = nn.ModuleList(
            [nn.EmbeddingBag(9, 4, mode="sum"), nn.EmbeddingBag(5, 4, mode="mean", padding_idx=0)]
        )
        self.top = nn.Sequential(nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 1), nn.Sigmoid())

    def forward(self, dense: Any, first: Any, second: Any) -> Any:
        looked_up = [bag(ids) for bag, ids in zip(self.bags, (first, second), strict=True)]
        return self.top(torch.cat([self.bottom(dense), *looked_up], dim=1))


class FeedForward(nn.Module):
    """The half of a Transformer's block that mixes features."""

    def __init__(self) -> None:
        super().__init__()
        self.position = nn.Parameter(torch.randn(5, 8))
        self.norm = nn.LayerNorm(8)
        self.up, self.down = nn.Linear(8, 32), nn.Linear(32, 8)

    def forward(self, x: Any) -> Any:
        x = x + self.position
        return x + self.down(F.gelu(self.up(self.norm(x)), approximate="tanh"))


class TwoTowers(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Linear(3, 4), nn.Linear(6, 4)

    def forward(self, a: Any, *, b: Any) -> dict[str, Any]:
        left, right = self.left(a), self.right(b)
        return {"score": (left * right).sum(-1), "left": left, "classes": F.log_softmax(left - 2 * right, dim=-1)}


IDS = torch.zeros(1, 3, dtype=torch.int64)
NETWORKS: dict[str, tuple[Callable[[], Any], Any]] = {
    "residual": (ResidualNetwork, torch.zeros(1, 8)),
    "wide and deep": (WideAndDeep, (torch.zeros(1).long(), torch.zeros(1).long(), torch.zeros(1, 5))),
    "recommender": (Recommender, (torch.zeros(1, 6), IDS, IDS)),
    "feed-forward": (FeedForward, torch.zeros(1, 5, 8)),
    "two towers": (TwoTowers, {"a": torch.zeros(1, 3), "b": torch.zeros(1, 6)}),
}


@pytest.mark.parametrize("network", NETWORKS)
def test_networks_compute_what_they_do_in_pytorch(network: str) -> None:
    make, example = NETWORKS[network]
    assert_agrees(from_torch(randomised(make()), example=example))


def test_layers_have_the_names_of_the_modules_that_they_are_the_results_of() -> None:
    converted = from_torch(ResidualNetwork().eval(), name="residual")
    block = ["fc1", "norm", "act", "fc2"]
    of = {"fc1": "dense", "fc2": "dense", "norm": "batch_normalization", "act": "activation"}
    expected = []
    for i in range(2):
        expected += [(f"blocks.{i}.{name}", of[name]) for name in block] + [(f"blocks.{i}", "add")]
    assert kinds(converted.model) == [*expected, ("head", "dense"), ("sigmoid", "activation")]
    assert converted.model.name == "residual"
    assert converted.notes == (
        "Its input is taken to have 8 features, as blocks.0.fc1 has; give example= if it has more axes.",
        "Output sigmoid has one number for each row: it is returned as [rows, 1].",
        "Left out, as they do nothing in inference: blocks.0.drop, blocks.1.drop.",
    )


class Scored(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc, self.flat = nn.Linear(6, 1), nn.Flatten()

    def forward(self, x: Any) -> Any:
        return F.dropout(self.flat(torch.relu(self.fc(x)).squeeze(-1)), training=self.training).unsqueeze(-1)


def test_notes_name_no_module_that_computes() -> None:
    converted = from_torch(nn.Sequential(nn.Linear(6, 6), Scored()), example=torch.zeros(1, 3, 6))
    assert_agrees(converted)
    assert converted.notes[-1] == "Left out, as they do nothing in inference: 1.dropout, 1.flat."


def test_every_layer_gives_what_its_module_gives() -> None:
    module = randomised(ResidualNetwork()).eval()
    seen: dict[str, Any] = {}
    hooks = []

    def keep(path: str, _module: Any, _args: Any, output: Any) -> None:
        seen[path] = output.clone()

    for path, each in module.named_modules():
        hooks.append(each.register_forward_hook(partial(keep, path)))
    x = torch.randn(4, 8)
    with torch.no_grad():
        module(x)
    for hook in hooks:
        hook.remove()
    outputs = numpy_model.run(from_torch(module).model, {"x": x.numpy()})
    for path in ("blocks.0.fc1", "blocks.0.norm", "blocks.0.act", "blocks.0.fc2", "blocks.0", "blocks.1", "head"):
        assert np.allclose(outputs[path], seen[path].numpy(), rtol=1e-5, atol=1e-6), path


ACTIVATIONS = [
    *(nn.ReLU(), nn.ReLU6(), nn.Hardtanh(0, 6), nn.LeakyReLU(), nn.LeakyReLU(0.3), nn.ELU(), nn.ELU(0.5), nn.CELU()),
    *(nn.SELU(), nn.GELU(), nn.GELU("tanh"), nn.SiLU(), nn.Mish(), nn.Softplus(), nn.Softsign(), nn.Hardsigmoid()),
    *(nn.Hardswish(), nn.Sigmoid(), nn.Tanh(), nn.LogSigmoid(), nn.Softmax(-1), nn.LogSoftmax(-1), nn.Softmin(1)),
    *(nn.PReLU(), nn.RReLU(), nn.Identity(), nn.Softmax(dim=2)),
]


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=str)
def test_an_activation_computes_what_it_does_in_pytorch(activation: Any) -> None:
    example = torch.zeros(1, 2, 5) if getattr(activation, "dim", None) == 2 else torch.zeros(1, 5)
    assert_agrees(from_torch(nn.Sequential(nn.Linear(5, 5), activation), example=example))


@pytest.mark.parametrize(
    "inplace", [nn.ReLU, nn.Mish, nn.SiLU, nn.Hardswish, nn.ELU, nn.Dropout], ids=lambda each: each.__name__
)
def test_an_activation_in_place_is_the_same(inplace: Any) -> None:
    assert_agrees(from_torch(nn.Sequential(nn.Linear(5, 5), inplace(inplace=True), nn.Linear(5, 2))))


@pytest.mark.parametrize("axis", [1, 2, -1])
@pytest.mark.parametrize("join", [torch.cat, torch.stack])
def test_arrays_are_joined_along_any_axis_but_the_batch(axis: int, join: Any) -> None:
    class Joined(nn.Module):
        def forward(self, x: Any, y: Any) -> Any:
            return join([x, y * 2], dim=axis)

    assert_agrees(from_torch(Joined(), example=(torch.zeros(1, 2, 3), torch.zeros(1, 2, 3))))


class Arithmetic(nn.Module):
    def __init__(self, function: Any, shape: tuple[int, ...] = (4,)) -> None:
        super().__init__()
        self.function = function
        self.register_buffer("c", torch.linspace(0.5, 2, int(np.prod(shape))).reshape(shape))

    def forward(self, x: Any, y: Any) -> Any:
        return self.function(x, y, self.c)


ARITHMETIC: dict[str, Any] = {
    "sums": lambda x, y, c: x + y - c + 2,
    "differences": lambda x, y, c: 1 - (c - x) - torch.sub(x, y, alpha=3),
    "products": lambda x, y, c: x * y * c * 0.5,
    "quotients": lambda x, y, c: x / c / 3 + y / 2,
    "squares": lambda x, y, c: x**2 + torch.square(y) + c,
    "negation": lambda x, y, c: -x + -c + y,
    "a weight": lambda x, y, c: x @ torch.full((4, 4), 0.25) + y,
    "weights, transposed": lambda x, y, c: x @ c.unsqueeze(0).expand(4, 4).t() + y,
    "broadcasting": lambda x, y, c: x.sum(-1, keepdim=True) * y + y.mean(-1, keepdim=True) + c,
    "factorisation": lambda x, y, c: 0.5 * (x.sum(1) ** 2 - (x**2).sum(1)) + (y * c).mean(dim=1),
    "a vector": lambda x, y, c: (x + y) @ c,
    "addmm": lambda x, y, c: torch.addmm(c, x, torch.ones(4, 4), beta=2, alpha=0.5) + y,
    "clamp": lambda x, y, c: x.clamp(0, 6) + y.clamp(min=0) + c,
    "casts": lambda x, y, c: x.float() + y.to(torch.float32).contiguous().clone().detach() + c,
}


@pytest.mark.parametrize("function", ARITHMETIC)
def test_what_forward_computes_between_modules(function: str) -> None:
    example = (torch.zeros(1, 4), torch.zeros(1, 4))
    assert_agrees(from_torch(Arithmetic(ARITHMETIC[function]), example=example))


@pytest.mark.parametrize("function", ["sums", "differences", "products", "quotients", "broadcasting", "clamp"])
@pytest.mark.parametrize("shape", [(4,), (3, 4), (1, 3, 4), (3, 1), (1, 1)], ids=str)
def test_inputs_with_axes_of_their_own(function: str, shape: tuple[int, ...]) -> None:
    example = (torch.zeros(1, 3, 4), torch.zeros(1, 3, 4))
    assert_agrees(from_torch(Arithmetic(ARITHMETIC[function], shape), example=example))


class TimeSeries(nn.Module):
    """Rank 3: dense layers on the last axis, a batch norm whose features are the axis before."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(3, 8)
        self.norm = nn.BatchNorm1d(6)
        self.all = nn.LayerNorm((6, 8))
        self.pool = nn.Linear(8, 1)
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(6, 4), nn.Unflatten(1, (2, 2)))

    def forward(self, x: Any) -> Any:
        return self.head(self.pool(self.all(self.norm(torch.tanh(self.embed(x))))))


def test_time_series() -> None:
    module = TimeSeries()
    nn.init.normal_(module.norm.running_mean)
    nn.init.normal_(module.all.weight)
    nn.init.normal_(module.all.bias)
    converted = from_torch(module, example=torch.zeros(1, 6, 3))
    assert_agrees(converted)
    assert list(converted.model.inputs[0].shape) == [6, 3]


class Sentences(nn.Module):
    def __init__(self, pool: Any) -> None:
        super().__init__()
        self.words, self.drop, self.out = nn.Embedding(20, 6, padding_idx=0), nn.Dropout(), nn.Linear(6, 2)
        self.pool = pool

    def forward(self, ids: Any) -> Any:
        return self.out(self.pool(self.drop(self.words(ids))))


POOLS: dict[str, Any] = {
    "mean": lambda rows: rows.mean(1),
    "sum": lambda rows: rows.sum(dim=-2),
    "kept": lambda rows: rows.mean(1, keepdim=True).squeeze(1),
    "none": lambda rows: rows,
}


@pytest.mark.parametrize("pool", POOLS)
def test_looked_up_rows_are_pooled_by_the_layer_that_looks_them_up(pool: str) -> None:
    converted = from_torch(Sentences(POOLS[pool]), example=IDS)
    assert_agrees(converted)
    assert [kind for _, kind in kinds(converted.model)].count("embedding") == 1


@pytest.mark.parametrize("seed", range(40))
def test_random_chains(seed: int) -> None:
    """A sweep of small networks, each of other layers and widths."""
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    width, layers = int(rng.integers(1, 9)), []
    rank = int(rng.integers(2, 4))
    features = width
    for _ in range(rng.integers(1, 7)):
        kind = rng.choice(["linear", "activation", "norm", "layer_norm", "dropout", "flatten"])
        if kind == "linear":
            units = int(rng.integers(1, 40))
            layers.append(nn.Linear(features, units, bias=bool(rng.integers(2))))
            features = units
        elif kind == "activation":
            layers.append(ACTIVATIONS[rng.integers(20)])
        elif kind == "norm" and rank == 2:
            layers.append(nn.BatchNorm1d(features, affine=bool(rng.integers(2)), eps=float(rng.choice([1e-5, 1e-3]))))
        elif kind == "layer_norm" and features > 1:
            layers.append(nn.LayerNorm(features))
        elif kind == "flatten" and rank == 3:
            layers.append(nn.Flatten())
            rank, features = 2, 4 * features
        else:
            layers.append(nn.Dropout())
    axes = (1, 4, width) if any(isinstance(each, nn.Flatten) for each in layers) or rank == 3 else (1, width)
    module = nn.Sequential(*layers)
    for each in module.modules():
        if isinstance(each, nn.BatchNorm1d):
            nn.init.normal_(each.running_mean)
            nn.init.uniform_(each.running_var, 0.2, 3)
    assert_agrees(from_torch(module, example=torch.zeros(axes)))
