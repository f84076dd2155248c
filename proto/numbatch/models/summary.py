"""The text table of a model's layers."""

from collections.abc import Iterator, Sequence

from numbatch.models.layer import Layer, Symbol
from numbatch.models.network import Network


def summary_lines(name: str, network: Network, layers: Sequence[Layer], parameters: int) -> Iterator[str]:
    """Yield the lines of a table: a layer's name and class, its output's shape, its parameters, and what it takes.

    The last column is left out where the layers follow each other.
    """
    rows = [(f"{network.names[each.call]} (Input)", _shapes([each]), "", "") for each in network.inputs]
    for layer in layers:
        calls = [call for call in network.calls if call.layer is layer]
        title = f"{network.names[calls[0]]} ({type(layer).__name__})"
        taken = "; ".join(", ".join(network.names[each.call] for each in call.inputs) for call in calls)
        rows.append((title, _shapes(calls[0].outputs), f"{layer.count_params():,}", taken))
    head = ("Layer (type)", "Output shape", "Parameters", "Takes")
    names = [network.names[each.call] for each in network.inputs] + [network.names[call] for call in network.calls]
    is_chain = [row[3] for row in rows] == ["", *names[:-1]]
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(4)]
    rule = "─" * (sum(widths[:3]) + 4 + (0 if is_chain else widths[3] + 2))
    yield f'Model: "{name}"'
    yield _line(head, widths, is_chain)
    yield rule
    for row in rows:
        yield _line(row, widths, is_chain)
    yield rule
    yield f"Total parameters: {parameters:,} ({4 * parameters:,} bytes)"


def _line(row: tuple[str, str, str, str], widths: Sequence[int], is_chain: bool) -> str:
    columns = [f"{row[0]:<{widths[0]}}", f"{row[1]:<{widths[1]}}", f"{row[2]:>{widths[2]}}"]
    return "  ".join(columns if is_chain else [*columns, row[3]]).rstrip()


def _shapes(symbols: Sequence[Symbol]) -> str:
    return ", ".join(str(each.shape) for each in symbols)
