"""Writing outputs: the formats, and that a file is complete or not there."""

import io
import json
from pathlib import Path

import numpy as np
import pytest

from numbatch.cli.exits import CommandError
from numbatch.cli.sinks import CsvSink, JsonLinesSink, open_file_sink, output_format

A = np.arange(10, dtype=np.float32).reshape(5, 2)
B = np.arange(20, dtype=np.float32).reshape(5, 2, 2)


def write(path: Path, **layers: np.ndarray) -> None:
    """Write rows 0 to 3, then the last one."""
    with open_file_sink(str(path), list(layers)) as sink:
        for part in (slice(0, 4), slice(4, 5)):
            sink.write({name: array[part] for name, array in layers.items()})


@pytest.mark.parametrize("array", [A, B])
def test_npy_is_what_numpy_would_have_written_at_once(tmp_path: Path, array: np.ndarray) -> None:
    write(tmp_path / "y.npy", a=array)
    expected = io.BytesIO()
    np.save(expected, array)
    assert (tmp_path / "y.npy").read_bytes() == expected.getvalue()


def test_npz_holds_every_layer_by_name(tmp_path: Path) -> None:
    write(tmp_path / "y.npz", **{"a": A, "block/b": B})
    with np.load(tmp_path / "y.npz") as arrays:
        assert sorted(arrays) == ["a", "block/b"]
        np.testing.assert_array_equal(arrays["a"], A)
        np.testing.assert_array_equal(arrays["block/b"], B)
    assert [path.name for path in tmp_path.iterdir()] == ["y.npz"]


def test_csv_names_layer_and_position_of_every_column(tmp_path: Path) -> None:
    write(tmp_path / "y.csv", a=A[:, :1], b=B)
    header, first, *_, last = (tmp_path / "y.csv").read_text().splitlines()
    assert header == "a[0],b[0][0],b[0][1],b[1][0],b[1][1]"
    assert first == "0.0,0.0,1.0,2.0,3.0"
    assert last == "8.0,16.0,17.0,18.0,19.0"


def test_csv_numbers_read_back_as_they_were() -> None:
    rng = np.random.default_rng(1)
    numbers = rng.integers(0, 2**32, (1000, 1), np.uint32).view(np.float32)
    numbers = numbers[np.isfinite(numbers)].reshape(-1, 1)
    text = io.StringIO()
    CsvSink(text).write({"a": numbers})
    back = np.array([np.float32(line) for line in text.getvalue().splitlines()[1:]])
    np.testing.assert_array_equal(back.view(np.uint32), numbers[:, 0].view(np.uint32))


def test_json_lines_are_numbered_rows() -> None:
    text = io.StringIO()
    sink = JsonLinesSink(text)
    sink.write({"a": np.array([[0.1, 2]], np.float32)})
    sink.write({"a": np.array([[np.nan, -np.inf], [np.inf, 1e-9]], np.float32)})
    assert [json.loads(line) for line in text.getvalue().splitlines()] == [
        {"row": 0, "outputs": {"a": [0.1, 2.0]}},
        {"row": 1, "outputs": {"a": ["NaN", "-Infinity"]}},
        {"row": 2, "outputs": {"a": ["Infinity", 1e-9]}},
    ]


def test_json_keeps_the_axes() -> None:
    text = io.StringIO()
    JsonLinesSink(text).write({"b": B[:1]})
    assert json.loads(text.getvalue())["outputs"] == {"b": [[0, 1], [2, 3]]}


@pytest.mark.parametrize("name", ["y.npy", "y.npz", "y.csv"])
@pytest.mark.parametrize("before", [None, b"what was there"])
def test_a_failure_leaves_everything_as_it_was(tmp_path: Path, name: str, before: bytes | None) -> None:
    path = tmp_path / name
    if before is not None:
        path.write_bytes(before)
    with pytest.raises(RuntimeError, match="half way"), open_file_sink(str(path), ["a"]) as sink:
        sink.write({"a": A})
        assert not path.exists() or path.read_bytes() == before
        raise RuntimeError("half way")
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == ({name: before} if before else {})


@pytest.mark.parametrize(
    ("path", "layers", "problem"),
    [
        ("y.txt", ["a"], "expected a name that ends in .npy, .npz or .csv"),
        ("y", ["a"], "expected a name that ends in .npy, .npz or .csv"),
        ("y.npy", ["a", "b"], "a .npy holds one layer; for 2 take .npz or .csv"),
    ],
)
def test_names_that_cannot_hold_the_layers_are_refused(path: str, layers: list[str], problem: str) -> None:
    with pytest.raises(CommandError, match=problem):
        output_format(path, layers)


def test_a_folder_is_no_output(tmp_path: Path) -> None:
    (tmp_path / "y.npy").mkdir()
    with pytest.raises(CommandError, match="is a folder"):
        write(tmp_path / "y.npy", a=A)


def test_a_missing_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        write(tmp_path / "nowhere" / "y.npy", a=A)
