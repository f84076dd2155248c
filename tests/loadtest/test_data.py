"""The rows that requests bring, and the messages that are made of them."""

import sys
from pathlib import Path

import numpy as np
import pytest

from numbatch.loadtest.data import checked, generated, read_rows
from numbatch.loadtest.errors import WorkloadError
from numbatch.loadtest.library import Library, Part, split, write_library
from numbatch.loadtest.protocol import Model, Tensor
from numbatch.loadtest.protocol_native import Native
from numbatch.v1.inference_pb2 import InferRequest

PIXELS = Tensor("pixels", "float32", (2,))
IDS = Tensor("ids", "int32", (3,))


def test_rows_are_drawn_by_type_and_the_same_for_a_seed() -> None:
    rows = generated([PIXELS, IDS], 100, seed=1, vocabulary=5)
    assert [str(array.dtype) for array in rows.values()] == ["float32", "int32"]
    assert [array.shape for array in rows.values()] == [(100, 2), (100, 3)]
    assert set(np.unique(rows["ids"])) == {0, 1, 2, 3, 4}
    again = generated([PIXELS, IDS], 100, seed=1, vocabulary=5)
    assert all(np.array_equal(rows[name], again[name]) for name in rows)


def test_rows_of_other_types_are_drawn_as_far_as_there_are_numbers_of_it() -> None:
    types = ("float16", "float64", "uint8", "int64", "bool")
    rows = generated([Tensor(name, name, (2,)) for name in types], 50, seed=1, vocabulary=1000)
    assert [str(array.dtype) for array in rows.values()] == list(types)
    assert all(len(np.unique(array)) > 1 for array in rows.values())
    with pytest.raises(WorkloadError, match="is BYTES, which cannot be drawn"):
        generated([Tensor("t", "BYTES", (2,))], 1, seed=1)
    with pytest.raises(WorkloadError, match="has an axis of any length"):
        generated([Tensor("t", "float32", (-1,))], 1, seed=1)


def test_row_numbers_are_0_unless_a_vocabulary_is_given() -> None:
    assert not generated([IDS], 10, seed=0)["ids"].any()


def test_files_hold_rows(tmp_path: Path) -> None:
    right = np.array([[1, 2], [3, 4]], np.float32)
    np.save(tmp_path / "x.npy", right.astype(np.float64))
    np.savez(tmp_path / "x.npz", pixels=right)
    (tmp_path / "x.csv").write_text("a,b\n1,2\n\n3,4\n")
    for name in ("x.npy", "x.npz", "x.csv"):
        rows = read_rows(tmp_path / name, [PIXELS])
        assert rows["pixels"].dtype == np.float32
        assert np.array_equal(rows["pixels"], right)


def test_parquet_has_a_column_for_each_number_or_lists_by_input(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow, which nothing else needs, is not installed")
    parquet = pytest.importorskip("pyarrow.parquet")
    right = np.array([[1, 2], [3, 4]], np.float32)
    numbers = pyarrow.table({"a": [1.0, 3.0], "b": pyarrow.array([2, 4])})
    lists = pyarrow.table({"id": [7, 8], "pixels": right.tolist(), "ids": [[1, 2, 3], [4, 5, 6]]})
    ragged = pyarrow.table({"pixels": [[1.0, 2.0], [3.0]]})
    missing = pyarrow.table({"a": [1.0, None], "b": [2.0, 4.0]})
    for table, name in ((numbers, "numbers"), (lists, "lists"), (ragged, "ragged"), (missing, "missing")):
        parquet.write_table(table, tmp_path / f"{name}.parquet")
    assert np.array_equal(read_rows(tmp_path / "numbers.parquet", [PIXELS])["pixels"], right)
    both = read_rows(tmp_path / "lists.parquet", [PIXELS, IDS])
    assert np.array_equal(both["pixels"], right)
    assert both["ids"].tolist() == [[1, 2, 3], [4, 5, 6]]
    for name, inputs, problem in (
        ("numbers", [IDS], "got 2 columns, expected 3, or one 'ids'"),
        ("numbers", [PIXELS, IDS], "expected the columns 'pixels', 'ids', got a, b"),
        ("ragged", [PIXELS], "lists of different lengths"),
        ("missing", [PIXELS], "a number is missing"),
    ):
        with pytest.raises(WorkloadError) as refused:
            read_rows(tmp_path / f"{name}.parquet", inputs)
        assert problem in str(refused.value)


def test_parquet_needs_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(WorkloadError, match=r"pyarrow reads \.parquet files, and is not installed"):
        read_rows(tmp_path / "x.parquet", [PIXELS])


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("x.txt", "1", "expected a .npy, .npz, .csv or .parquet file"),
        ("x.npy", "1", "no .npy file of numbers"),
        ("x.npz", "1", "no .npz file of numbers"),
        ("x.csv", "a,b\n1,x\n", "line 2: could not convert"),
        ("x.csv", "1,2,3\n", "line 1: got 3 numbers, expected 2"),
        ("x.csv", "a,b\n", "got shape [0, 2], expected [N, 2]"),
    ],
)
def test_what_holds_none_is_refused(tmp_path: Path, name: str, content: str, problem: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(WorkloadError) as refused:
        read_rows(tmp_path / name, [PIXELS])
    assert problem in str(refused.value)


@pytest.mark.parametrize(
    ("arrays", "problem"),
    [
        ({"pixels": [[1.0, 2.0]]}, "no array for input 'ids'"),
        ({"pixels": [[1.0]], "ids": [[1, 2, 3]]}, "got shape [1, 1], expected [N, 2]"),
        ({"pixels": [[1.0, 2.0]], "ids": [[1, 2, 0.5]]}, "expected whole numbers"),
        ({"pixels": [[1.0, 2.0]] * 2, "ids": [[1, 2, 3]]}, "different numbers of rows: [1, 2]"),
        ({"pixels": [["a", "b"]], "ids": [[1, 2, 3]]}, "expected numbers"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(arrays: dict[str, object], problem: str) -> None:
    with pytest.raises(WorkloadError) as refused:
        checked(arrays, [PIXELS, IDS], "data")
    assert problem in str(refused.value)


def test_what_a_type_cannot_hold_is_refused() -> None:
    tensor = Tensor("t", "int8", (-1,))
    assert checked({"t": [[1.0, -128.0, 3.0]]}, [tensor], "data")["t"].dtype == np.int8
    for wrong in (128.0, 0.5, np.nan):
        with pytest.raises(WorkloadError, match="expected whole numbers that int8 can hold"):
            checked({"t": [[wrong]]}, [tensor], "data")
    with pytest.raises(WorkloadError, match=r"got shape \[1\], expected \[N, any\]"):
        checked({"t": [1]}, [tensor], "data")


def part(name: str, rows: int, weight: float = 1.0, rows_per_message: int = 1) -> Part:
    model = Model(name, 1, (PIXELS,), (Tensor("y", "float32", (2,)),))
    data = generated([PIXELS], rows, seed=0)
    return Part(model, 0, weight, data, split(data, rows_per_message), {"y": data["pixels"]})


def test_messages_hold_all_rows_in_order_the_last_what_is_left(tmp_path: Path) -> None:
    only = part("digits", 5, rows_per_message=2)
    write_library(tmp_path, [only], Native(), streamed=False, seed=0)
    library = Library(tmp_path)
    assert (library.rows, [library.message(i) for i in range(4)]) == ([2, 2, 1], [0, 1, 2, 0])
    request = InferRequest.FromString(library.request(2))
    assert request.model_name == "digits"
    assert request.inputs[0].data == only.rows["pixels"][4:].tobytes()
    verifier, message = library.verifier(2)
    assert verifier is not None
    assert np.array_equal(verifier.expected(message)["y"], only.rows["pixels"][4:])


def test_models_of_a_mix_are_asked_as_often_as_their_weights_say(tmp_path: Path) -> None:
    write_library(tmp_path, [part("digits", 4, 3.0), part("tiny", 4, 1.0)], Native(), streamed=False, seed=0)
    library = Library(tmp_path)
    asked = [InferRequest.FromString(library.request(library.message(i))).model_name for i in range(4096)]
    assert (asked.count("digits"), asked.count("tiny")) == (3072, 1024)
    assert "tiny" in asked[:32]
