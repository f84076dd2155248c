"""What cannot be served is refused: where it is, what it is, and what could be done."""

from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from numbatch.convert.torch import from_torch  # noqa: E402
from numbatch.wire.errors import InvalidArgumentError, NumbatchError, UnsupportedError  # noqa: E402

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning"),
    pytest.mark.filterwarnings("ignore:The tensor attributes self._flat_weights:UserWarning"),
]

ROW, SERIES, IDS = torch.zeros(1, 4), torch.zeros(1, 3, 4), torch.zeros(1, 3, dtype=torch.int64)


class Net(nn.Module):
    """A module around a function."""

    def __init__(self, function: Any, *parts: Any) -> None:
        super().__init__()
        self.function = function
        self.parts = nn.ModuleList(parts)

    def forward(self, *arrays: Any) -> Any:
        return self.function(*self.parts, *arrays)


def chain(*layers: Any) -> Callable[[], Any]:
    return lambda: nn.Sequential(nn.Linear(4, 4), *layers)


def net(function: Any, *parts: Any) -> Callable[[], Any]:
    return lambda: Net(function, *parts)


def written_to(x: Any) -> Any:
    doubled = x * 2
    return F.relu_(doubled.view(-1, 4)) + doubled


BATCH = "every operator must keep the rows of a batch apart"
# What it is, what it is called with, and what the error says.
REFUSED: dict[str, tuple[Callable[[], Any], Any, str]] = {
    "convolution": (
        lambda: nn.Sequential(nn.Conv1d(3, 2, 1)),
        SERIES,
        "0: no layer .* aten.conv1d.default in Conv1d; .*dense",
    ),
    "recurrence": (
        lambda: nn.LSTM(4, 3, batch_first=True),
        SERIES,
        "lstm: no layer .* in LSTM; .* no recurrent layers",
    ),
    "attention": (
        lambda: nn.TransformerEncoderLayer(4, 2, batch_first=True),
        SERIES,
        "self_attn: .* attention, are not served",
    ),
    "slopes of PReLU": (chain(nn.PReLU(4)), None, "1: 4 slopes: .* in PReLU, expected one; .*served as leaky_relu"),
    "bounds": (chain(nn.Hardtanh()), None, "1: bounds -1.0 and 1.0: .* in Hardtanh, expected 0 and 6"),
    "softplus": (chain(nn.Softplus(beta=2)), None, "1: beta 2"),
    "group norm": (
        chain(nn.GroupNorm(2, 4)),
        None,
        "1: no layer .* in GroupNorm; batch_norm and layer_norm are served",
    ),
    "statistics of the batch": (
        chain(nn.BatchNorm1d(4, track_running_stats=False)),
        None,
        "1: it normalises by .*eval",
    ),
    "an inner axis": (chain(nn.Softmax(1)), SERIES, "1: over axis 1: .* expected over the last axis"),
    "the batch's axis": (chain(nn.Softmax(0)), None, f"1: it works across the rows of a batch: .*{BATCH}"),
    "a mean of the batch": (net(lambda x: x - x.mean(0)), ROW, f"mean: it works across .*{BATCH}"),
    "rows and features mixed": (
        net(lambda x: x.view(-1, 4)),
        SERIES,
        rf"view: rows are mixed: it gives \[3\*s\d+, 4\].*{BATCH}",
    ),
    "a transposition": (net(lambda x: x.transpose(1, 2)), SERIES, "transpose: .*axes cannot change places"),
    "every second element": (net(lambda x: x[:, ::2]), ROW, "slice: steps of 2: .* expected 1; .*inputs of their own"),
    "a part of an inner axis": (
        net(lambda x: x[:, 1:]),
        SERIES,
        "slice: a part of axis 1: .* expected of the last axis; .* lay the data out so, or give the parts as inputs",
    ),
    "a row of an inner axis": (net(lambda x: x[:, -1]), SERIES, "select: a part of axis 1: .*of the last axis"),
    "chunks of an inner axis": (net(lambda x: x.chunk(3, 1)[0]), SERIES, "chunk: a part of axis 1"),
    "a gate of an inner axis": (net(lambda x: F.glu(x, 1)), torch.zeros(1, 2, 4), "glu: a part of axis 1"),
    "a part of no elements": (net(lambda x: torch.cat([x[:, 4:], x], 1)), ROW, "slice: a part of no elements, 4 to 4"),
    "some of the rows": (net(lambda x: x[1:] * 2), ROW, f"slice: it works across the rows of a batch: .*{BATCH}"),
    "a row": (net(lambda x: x.unbind(0)[0]), ROW, f"unbind: it works across the rows of a batch: .*{BATCH}"),
    "halves of the batch": (net(lambda x: x.chunk(2)[1]), ROW, f"chunk: it works across .*{BATCH}"),
    "a place that is not fixed": (
        net(lambda x: x.narrow(1, x.shape[0] - 1, 2)),
        ROW,
        "narrow: a part whose place is not fixed: .* expected numbers",
    ),
    "columns by their numbers": (
        net(lambda x: x[:, [0, 2]]),
        ROW,
        r"index: no layer .* x\[..., a:b\] or split, .* cat",
    ),
    "a part that is written to": (
        net(lambda x: F.relu_(x[:, :2]) + x[:, 2:]),
        ROW,
        "relu: it changes an array in place that is used afterwards",
    ),
    "row numbers of an inner axis": (
        net(lambda words, ids: words(ids[:, 0]), nn.Embedding(5, 3)),
        torch.zeros(1, 2, 3, dtype=torch.int64),
        "select: a part of axis 1",
    ),
    "single numbers, pooled": (
        net(lambda words, ids: words(ids[..., 0]).sum(1), nn.Embedding(5, 3)),
        torch.zeros(1, 2, 3, dtype=torch.int64),
        "sum: over rows of single numbers",
    ),
    "row numbers as an output": (
        net(lambda words, ids: (words(ids[:, 0]), ids[:, 1]), nn.Embedding(5, 3)),
        IDS,
        "select: row numbers of a table as an output: .*; whoever sends them has them",
    ),
    "offsets of row numbers": (
        net(lambda words, ids: words(ids + torch.tensor([0, 1, 2])), nn.Embedding(5, 3)),
        IDS,
        "add: computed row numbers: .* expected an integer input",
    ),
    "dropout that is always on": (
        net(lambda x: F.dropout(x)),
        ROW,
        "dropout: dropout in training mode: .*training=self.training",
    ),
    "an array that is written to": (net(written_to), ROW, "relu: it changes an array in place .* mul: .*inplace=False"),
    "state": (
        net(lambda norm, x: norm.running_mean.add_(1) + x, nn.BatchNorm1d(4)),
        ROW,
        "add: it changes a weight .* no state; .*eval",
    ),
    "a parametrisation": (
        lambda: nn.utils.parametrizations.weight_norm(nn.Linear(4, 3)),
        None,
        "remove_parametrizations",
    ),
    "the largest of a bag": (
        lambda: nn.EmbeddingBag(5, 3, mode="max"),
        IDS,
        "embedding_bag: mode 'max': .*'sum' or 'mean'",
    ),
    "bags by offsets": (
        lambda: nn.EmbeddingBag(5, 3, mode="sum"),
        (torch.zeros(4, dtype=torch.int64), torch.zeros(2, dtype=torch.int64)),
        "bags by offsets: .* matrix of numbers",
    ),
    "computed row numbers": (
        net(lambda words, x: words(x.long()), nn.Embedding(5, 3)),
        ROW,
        "to: rounding .* integer input",
    ),
    "row numbers as numbers": (
        net(lambda words, ids: words(ids) + ids.float().unsqueeze(-1), nn.Embedding(5, 3)),
        IDS,
        "to: row numbers of a table, used as numbers too",
    ),
    "classes": (net(lambda x: x.argmax(-1)), ROW, "argmax: no layer .* leave it to whoever calls the model"),
    "a fixed output": (
        net(lambda x: (x * 2, torch.ones(3))),
        ROW,
        "ones: an output that does not depend on the inputs",
    ),
    "no array": (net(lambda x: (x * 2, None)), ROW, "no tensor: got NoneType, expected tensors"),
    "weights that are computed": (net(lambda x: F.linear(x, x[:1] * 2)), ROW, "slice"),
    "broadcasting": (net(lambda x: x.unsqueeze(1) + x.unsqueeze(2)), ROW, r"add: broadcasting of \[1, 4\] to \[4, 4\]"),
    "an inner module": (
        lambda: nn.Sequential(nn.Linear(4, 4), nn.Sequential(Net(lambda x: x.cumsum(-1)))),
        None,
        "1.0.cumsum: no layer computes it: got aten.cumsum.default in Net",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_an_operator_that_cannot_be_served_is_refused(case: str) -> None:
    make, example, words = REFUSED[case]
    with pytest.raises(UnsupportedError, match=words):
        from_torch(make(), example=example)


def test_a_branch_on_values_cannot_be_traced(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UnsupportedError, match="Net: torch.export cannot trace it: .*must not branch on values"):
        from_torch(Net(lambda x: x if x.sum() > 0 else -x), example=ROW)


ASKED: dict[str, tuple[Callable[[], Any], Any, str]] = {
    "row numbers": (lambda: nn.Embedding(5, 3), None, "what Embedding takes cannot be told .* example=torch.zeros"),
    "several inputs": (lambda: nn.Bilinear(3, 3, 3), None, "what Bilinear takes cannot be told"),
    "another width": (
        lambda: nn.Linear(4, 3),
        torch.zeros(1, 5),
        r"cannot be called with float32 \[2, 5\]: .*mat1 and mat2",
    ),
    "a number": (lambda: nn.Linear(4, 3), 3.0, r"example: got \[\], expected one row or more"),
    "no rows": (lambda: nn.Linear(4, 3), torch.zeros(0, 4), r"example: got \[0, 4\], expected one row or more"),
}


@pytest.mark.parametrize("case", ASKED)
def test_an_example_is_asked_for(case: str) -> None:
    make, example, words = ASKED[case]
    with pytest.raises(InvalidArgumentError, match=words) as refused:
        from_torch(make(), example=example)
    assert refused.value.field == "example" or case == "several inputs"


def test_the_field_is_where_the_operator_is() -> None:
    with pytest.raises(NumbatchError) as refused:
        from_torch(nn.Sequential(nn.Linear(4, 4), nn.PReLU(4)))
    assert (refused.value.field, refused.value.got) == ("1", "aten.prelu.default in PReLU")
