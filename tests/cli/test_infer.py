"""`numbatch infer` against a real server."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from numbatch.engine import load_model
from numbatch.v1.inference_pb2 import PRIORITY_HIGH, PRIORITY_NORMAL, StreamInferRequest
from support.command import numbatch
from support.fake_server import STREAM_INFER, FakeServer, answer_streamed
from support.towers import tower


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    """Five rows, 0 to 9."""
    path = tmp_path / "x.csv"
    path.write_text("a,b\n" + "".join(f"{2 * i},{2 * i + 1}\n" for i in range(5)))
    return path


DOUBLED = [[4 * i, 4 * i + 2] for i in range(5)]


def test_into_a_pipe_all_rows_go_as_csv(server: str, csv: Path) -> None:
    outcome = numbatch("infer", "double", csv, "--server", server, "--batch-size", 2)
    lines = "".join(f"{a}.0,{b}.0\n" for a, b in DOUBLED)
    assert (outcome.code, outcome.out, outcome.err) == (0, f"twice[0],twice[1]\n{lines}", "")


def test_at_a_terminal_the_first_rows_are_shown(server: str, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.arange(60).reshape(30, 2))
    outcome = numbatch("infer", "double", tmp_path / "x.npy", "--server", server, terminal=True)
    heading, first, *_, last, more = outcome.out.splitlines()
    assert heading == "twice [2]"
    assert first.split() == ["0", "0", "2"]
    assert last.split() == ["19", "76", "78"]
    assert more == "The first 20 rows. All of them: --output FILE, --json, or into a pipe."


def test_at_a_terminal_few_rows_are_all_shown(server: str, csv: Path) -> None:
    outcome = numbatch("infer", "double", csv, "--server", server, terminal=True)
    assert [line.split() for line in outcome.out.splitlines()[1:]] == [
        [str(row), str(a), str(b)] for row, (a, b) in enumerate(DOUBLED)
    ]


def test_json_is_one_object_per_row(server: str, csv: Path) -> None:
    outcome = numbatch("infer", "double", csv, "--server", server, "--json", "--layers", "twice,once")
    rows = [json.loads(line) for line in outcome.out.splitlines()]
    assert rows[4] == {"row": 4, "outputs": {"twice": [16, 18], "once": [8, 9]}}
    assert len(rows) == 5


def test_one_layer_goes_into_a_npy(server: str, csv: Path, tmp_path: Path) -> None:
    outcome = numbatch("infer", "double/1", csv, "--server", server, "--output", tmp_path / "y.npy", "--batch-size", 2)
    assert outcome.code == 0
    assert outcome.out.startswith(f"{tmp_path / 'y.npy'}: 5 rows of twice [2] in ")
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), np.array(DOUBLED, np.float32), strict=True)


def test_several_layers_go_into_a_npz_and_json_sums_up(server: str, csv: Path, tmp_path: Path) -> None:
    output = tmp_path / "y.npz"
    outcome = numbatch(
        "infer", "double", csv, "--server", server, "-o", output, "--layer=once", "--layer=twice", "--json"
    )
    summary = json.loads(outcome.out)
    assert summary.pop("seconds") > 0
    assert summary == {
        "model": "double",
        "version": 1,
        "rows": 5,
        "layers": [{"name": "once", "shape": [2]}, {"name": "twice", "shape": [2]}],
        "output": str(output),
    }
    with np.load(output) as arrays:
        np.testing.assert_array_equal(arrays["twice"], 2 * arrays["once"])


def test_csv_comes_from_standard_input(server: str) -> None:
    outcome = numbatch("infer", "sum", "-", "--server", server, stdin="1,2,3,4\n")
    assert outcome.out == "sum[0]\n10.0\n"


def test_the_output_of_infer_is_an_input_of_infer(server: str, csv: Path, tmp_path: Path) -> None:
    numbatch("infer", "double", csv, "--server", server, "-o", tmp_path / "y.csv")
    numbatch("infer", "double", tmp_path / "y.csv", "--server", server, "-o", tmp_path / "z.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "z.npy"), 2 * np.array(DOUBLED))


@pytest.mark.parametrize("kind", ["npz", "csv", "named"])
def test_several_inputs_and_row_numbers_come_from_one_file(server: str, tmp_path: Path, kind: str) -> None:
    arrays: dict[str, Any] = {
        "x": np.ones((3, 8)),
        "user": np.array([[3], [0], [49]]),
        "words": np.tile(np.arange(6), (3, 1)),
    }
    columns = {f"x[{i}]": arrays["x"][:, i] for i in range(8)} | {"user": arrays["user"][:, 0]}
    columns |= {f"words[{i}]": arrays["words"][:, i] for i in range(6)}
    names = sorted(columns) if kind == "named" else list(columns)
    path = tmp_path / f"rows.{kind.replace('named', 'csv')}"
    if kind == "npz":
        np.savez(path, **arrays)
    else:
        lines = [",".join(f"{columns[name][row]:g}" for name in names) for row in range(3)]
        path.write_text("\n".join([",".join(names), *lines] if kind == "named" else lines))
    outcome = numbatch("infer", "tower", path, "--server", server, "-o", tmp_path / "y.npz", "--batch-size", 2)
    assert (outcome.code, outcome.err) == (0, "")
    expected = load_model(tower()).infer(arrays, layers=["score", "kind"])
    with np.load(tmp_path / "y.npz") as answers:
        for name, array in expected.items():
            np.testing.assert_array_equal(answers[name], array, strict=True)


def test_a_row_number_that_no_table_has_is_3(server: str, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("0," * 8 + "50," + ",".join("123456"))
    outcome = numbatch("infer", "tower", tmp_path / "x.csv", "--server", server)
    assert outcome.code == 3
    assert "INDEX_OUT_OF_RANGE" in outcome.err


def test_the_environment_names_the_server(server: str, csv: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBATCH_SERVER", server)
    assert numbatch("infer", "double", csv).code == 0


def test_a_bad_line_is_named_and_no_file_is_left(server: str, csv: Path, tmp_path: Path) -> None:
    with csv.open("a") as text:
        text.write("1,oops\n")
    outcome = numbatch("infer", "double", csv, "--server", server, "-o", tmp_path / "y.csv", "--batch-size", 1)
    assert (outcome.code, outcome.out) == (3, "")
    assert outcome.err == f"numbatch: error: {csv}, line 7, column 2: 'oops' is not a number\n"
    assert list(tmp_path.iterdir()) == [csv]


def test_a_bad_minibatch_says_how_far_it_came(server: str, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("1,2\n3,4\n1e39,0\n")
    outcome = numbatch("infer", "double", tmp_path / "x.csv", "--server", server, "--batch-size", 2)
    assert outcome.code == 3
    assert "a finite number beyond the range of float32" in outcome.err
    assert outcome.err.endswith("; the 2 rows before went well\n")


def test_minibatches_over_the_limit_name_the_option(server: str, tmp_path: Path) -> None:
    rows = 64 * 2**20 // 8 + 1
    np.lib.format.open_memmap(tmp_path / "x.npy", mode="w+", dtype=np.float32, shape=(rows, 2))
    outcome = numbatch("infer", "double", tmp_path / "x.npy", "--server", server, "--batch-size", rows)
    assert outcome.code == 3
    assert outcome.err.endswith(f"MESSAGE_TOO_LARGE); here: a --batch-size below {rows}\n")


def test_an_unknown_layer_is_refused_with_those_there_are(server: str, csv: Path, tmp_path: Path) -> None:
    outcome = numbatch("infer", "double", csv, "--server", server, "--layers", "once,thrice", "-o", tmp_path / "y.npz")
    assert outcome.code == 3
    assert "got 'thrice', expected one of once, twice" in outcome.err
    assert list(tmp_path.iterdir()) == [csv]


def test_a_wrong_output_is_said_before_anything_is_read(server: str) -> None:
    outcome = numbatch("infer", "double", "missing.npy", "--server", server, "-o", "y.txt")
    assert outcome.code == 2
    assert "expected a name that ends in .npy, .npz or .csv" in outcome.err


@pytest.mark.parametrize(("arguments", "value"), [([], PRIORITY_NORMAL), (["--priority", "high"], PRIORITY_HIGH)])
def test_rows_may_be_urgent(arguments: list[str], value: int) -> None:
    def note(requests: Iterator[bytes], _: Any) -> Iterator[bytes]:
        for request in requests:
            priorities.append(StreamInferRequest.FromString(request).request.priority)
            yield answer_streamed(request)

    priorities = list[int]()
    with FakeServer({STREAM_INFER: note}) as server:
        outcome = numbatch("infer", "double", "-", "--server", server.address, *arguments, stdin="1,2\n")
    assert (outcome.code, priorities) == (0, [value]), outcome.err
