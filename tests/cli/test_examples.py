"""Reading examples: what is taken, and what is refused with the place where it is wrong."""

import io
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from numbatch.cli.csv_examples import InputTypes
from numbatch.cli.examples import open_examples
from numbatch.cli.exits import CommandError
from numbatch.wire.layers import ArrayType

PAIR: InputTypes = {"x": ArrayType((2,))}
IMAGE: InputTypes = {"image": ArrayType((2, 2))}
TWO: InputTypes = {"a": ArrayType((2,)), "b": ArrayType((3,))}
TOWER: InputTypes = {"x": ArrayType((2,)), "id": ArrayType((1,), integer=True)}


def read(path: Path, inputs: InputTypes, batch_size: int = 2) -> list[dict[str, list[object]]]:
    with open_examples(str(path), inputs) as examples:
        return [{name: array.tolist() for name, array in batch.items()} for batch in examples.minibatches(batch_size)]


@pytest.mark.parametrize(
    "text",
    [
        "1,2\n3,4\n5,6\n",
        "1,2\n3,4\n5,6",  # no newline at the end
        "a,b\n1,2\n3,4\n5,6\n",  # a header
        "\ufeffa,b\r\n1,2\r\n3,4\r\n5,6\r\n",  # as a spreadsheet saves it
        "\n1,2\n\n3,4\n5,6\n\n",  # empty lines
        '"1", 2\n3e0,+4.0\n5,6\n',  # quotes, spaces, other spellings
    ],
)
def test_csv_comes_in_minibatches(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.csv").write_text(text, encoding="utf-8", newline="")
    assert read(tmp_path / "x.csv", PAIR) == [{"x": [[1, 2], [3, 4]]}, {"x": [[5, 6]]}]


def test_csv_lines_take_the_shape_of_the_input(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("1,2,3,4\n")
    assert read(tmp_path / "x.csv", IMAGE) == [{"image": [[[1, 2], [3, 4]]]}]


@pytest.mark.parametrize(
    "text",
    [
        "0.5,1,7\n2,3,8.0\n",  # in the model's order
        "x[0],x[1],id\n0.5,1,7\n2,3,8\n",
        "label,id[0],x[1],x[0]\ncat,7,1,0.5\ndog,8,3,2\n",  # named, in any order, beside others
    ],
)
def test_csv_has_the_numbers_of_all_inputs_in_columns(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.csv").write_text(text)
    with open_examples(str(tmp_path / "x.csv"), TOWER) as examples:
        (batch,) = examples.minibatches(8)
    assert batch["x"].tolist() == [[0.5, 1], [2, 3]]
    assert batch["id"].tolist() == [[7], [8]]
    assert batch["id"].dtype == np.int64


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("1,2,3.5\n", "line 1: 3.5 is no row number, as input 'id' takes them"),
        ("1,2,nan\n", "line 1: nan is no row number"),
        ("1,2,1e300\n", "line 1: 1e+300 is no row number"),
        ("1,2\n", "line 1: got 2 numbers, expected 3 for input 'x' [2], input 'id' [1]"),
        ("a,b,c\n1,2,3\n", "the header has no 'x[0]'; expected x[0],x[1],id[0] in any order, or no header"),
        ("x[0],x[1],id\n1,2\n", "line 2: got 2 cells, fewer than the header has"),
        ("id,y,x[0],x[1]\n1,2,3,z\n", "line 2, column 4: 'z' is not a number"),
    ],
)
def test_columns_that_do_not_fit_are_refused(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "x.csv").write_text(text)
    with pytest.raises(CommandError) as refused:
        read(tmp_path / "x.csv", TOWER)
    assert problem in str(refused.value)


def test_a_header_that_names_the_columns_of_one_input_puts_them_in_order(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("x[1],x[0]\n1,2\n")
    assert read(tmp_path / "x.csv", PAIR) == [{"x": [[2, 1]]}]


@pytest.mark.parametrize("dtype", ["i1", "u2", ">i4", "i8"])
def test_integers_stay_integers(tmp_path: Path, dtype: str) -> None:
    np.savez(tmp_path / "x.npz", x=np.zeros((2, 2)), id=np.array([[1], [2]], dtype))
    with open_examples(str(tmp_path / "x.npz"), TOWER) as examples:
        (batch,) = examples.minibatches(8)
    assert batch["id"].dtype == np.dtype(dtype)


def test_csv_comes_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO("\ufeff1,2\n".encode()), encoding="ascii"))
    assert read(Path("-"), PAIR) == [{"x": [[1, 2]]}]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("1,2\n3,x\n", "line 2, column 2: 'x' is not a number"),
        ("a,b\n1,2\n\n3,\n", "line 4, column 2: '' is not a number"),
        ("1,b\n1,2\n", "line 1, column 2: 'b' is not a number"),  # half a header is none
        ("1;2\n3;4\n", "line 2, column 1: '3;4' is not a number"),
        ("1,2\n1,2,3\n", "line 2: got 3 numbers, expected 2 for input 'x' [2]"),
        ("1\n", "line 1: got 1 number, expected 2 for input 'x' [2]"),
        ("a,b\n", "no rows of numbers"),
        ("", "no rows of numbers"),
        ("1,2\n1,\x00\n", "line 2"),
    ],
)
def test_bad_csv_is_refused_with_its_place(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "x.csv").write_text(text)
    with pytest.raises(CommandError) as refused:
        read(tmp_path / "x.csv", PAIR, batch_size=1)
    assert str(refused.value).startswith(f"{tmp_path / 'x.csv'}")
    assert problem in str(refused.value)


def test_csv_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(b"1,2\n\xff\xfe,3\n")
    with pytest.raises(CommandError, match="no CSV text"):
        read(tmp_path / "x.csv", PAIR)


@pytest.mark.parametrize("dtype", ["f4", "f8", ">f8", "u1", "i8", "?"])
def test_npy_comes_in_minibatches(tmp_path: Path, dtype: str) -> None:
    np.save(tmp_path / "x.npy", np.array([[1, 0], [0, 1], [1, 1]], dtype))
    assert read(tmp_path / "x.npy", PAIR) == [{"x": [[1, 0], [0, 1]]}, {"x": [[1, 1]]}]


def test_one_example_is_a_minibatch_of_one(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", [1.0, 2.0])
    assert read(tmp_path / "x.npy", PAIR) == [{"x": [[1, 2]]}]


def test_more_batch_axes_stay(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((3, 5, 2)))
    with open_examples(str(tmp_path / "x.npy"), PAIR) as examples:
        assert examples.rows == 3
        assert [batch["x"].shape for batch in examples.minibatches(2)] == [(2, 5, 2), (1, 5, 2)]


def test_npy_is_not_read_at_once(tmp_path: Path) -> None:
    size = 64 * 2**20
    np.lib.format.open_memmap(tmp_path / "x.npy", mode="w+", dtype=np.float32, shape=(size // 8, 2))
    tracemalloc.start()
    with open_examples(str(tmp_path / "x.npy"), PAIR) as examples:
        assert sum(len(batch["x"]) for batch in examples.minibatches(1000)) == size // 8
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < size / 10


def test_npz_brings_every_input_by_name(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", a=np.zeros((1, 2)), b=np.ones((1, 3)), labels=np.array([7]))
    assert read(tmp_path / "x.npz", TWO) == [{"a": [[0, 0]], "b": [[1, 1, 1]]}]


@pytest.mark.parametrize(
    ("name", "array", "inputs", "problem"),
    [
        ("x.npy", np.zeros((4, 3)), PAIR, "input 'x': got shape [4, 3], expected [..., 2]"),
        ("x.npy", np.zeros(()), PAIR, "input 'x': got shape [], expected [..., 2]"),
        ("x.npy", np.zeros((4, 4)), IMAGE, "input 'image': got shape [4, 4], expected [..., 2, 2]"),
        ("x.npy", np.zeros((0, 2)), PAIR, "input 'x': got no rows, shape [0, 2]"),
        ("x.npy", np.array([["a", "b"]]), PAIR, "input 'x': got <U1, expected real numbers"),
        ("x.npy", np.zeros((1, 2), complex), PAIR, "input 'x': got complex128, expected real numbers"),
        ("x.npy", np.array([[None, 1]]), PAIR, "no .npy file of numbers"),
        ("x.npy", np.zeros((4, 1)), {"id": TOWER["id"]}, "input 'id': got float64, expected integers, which are row"),
        ("x.npy", np.zeros((4, 2)), TWO, "the model has 2 inputs: give a .npz with 'a', 'b'"),
        ("x.npz", np.zeros((4, 2)), PAIR, "holds 'arr_0', expected arrays named 'x'"),
        ("x.txt", np.zeros((4, 2)), PAIR, "expected a .npy, .npz or .csv file, or - for CSV on standard input"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(
    tmp_path: Path, name: str, array: np.ndarray, inputs: InputTypes, problem: str
) -> None:
    with (tmp_path / name).open("wb") as file:
        np.savez(file, array) if name.endswith("npz") else np.save(file, array)
    with pytest.raises(CommandError) as refused:
        read(tmp_path / name, inputs)
    assert str(refused.value).startswith(f"{tmp_path / name}: ")
    assert problem in str(refused.value)


def test_arrays_of_different_lengths_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", a=np.zeros((4, 2)), b=np.zeros((5, 3)))
    with pytest.raises(CommandError, match=r"different numbers of rows: \[4, 5\]"):
        read(tmp_path / "x.npz", TWO)


@pytest.mark.parametrize("name", ["x.npy", "x.npz"])
@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x93NUMPY", b"something else"])
def test_files_that_are_something_else_are_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CommandError, match=f"no .{name[-3:]} file of numbers"):
        read(tmp_path / name, PAIR)


def test_a_npy_under_the_name_of_a_npz_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "x.npz").open("wb") as file:
        np.save(file, np.zeros((4, 2)))
    with pytest.raises(CommandError, match="rename it"):
        read(tmp_path / "x.npz", PAIR)


def test_a_truncated_npy_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((100, 2)))
    (tmp_path / "x.npy").write_bytes((tmp_path / "x.npy").read_bytes()[:-8])
    with pytest.raises(CommandError, match="no .npy file of numbers"):
        read(tmp_path / "x.npy", PAIR)
