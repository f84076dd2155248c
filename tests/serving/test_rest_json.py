"""JSON text: read within limits, float32 written so that the same bits are read; with orjson and without it."""

import json
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from numbatch.serving.http import json_text
from numbatch.serving.http.json_tensors import read_elements
from numbatch.serving.http.json_text import float32_text, read_json
from numbatch.serving.oip.datatypes import DATA_TYPES
from numbatch.wire.errors import InvalidArgumentError
from numbatch.wire.reasons import Reason

FP32 = DATA_TYPES["FP32"]


@pytest.fixture(params=["json", "orjson"], scope="module", autouse=True)
def _reader(request: pytest.FixtureRequest) -> Iterator[None]:
    if request.param == "orjson":
        pytest.importorskip("orjson")
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_text, "orjson", None)
        yield


@given(st.lists(st.floats(width=32), max_size=50))
def test_every_float32_is_read_as_it_was_written(values: list[float]) -> None:
    array = np.array(values, np.float32)
    text = b"".join(float32_text(array))
    read = read_elements(read_json(text), FP32, "data")
    assert read.tobytes() == np.where(np.isnan(array), np.float32(np.nan), array).tobytes()
    assert json.loads(text) is not None  # as others read it


@pytest.mark.parametrize(
    ("value", "text"), [(0.1, b"[0.1]"), (2, b"[2.0]"), (-0.0, b"[-0.0]"), (1 / 3, b"[0.33333334]")]
)
def test_the_text_of_a_number_is_short(value: float, text: bytes) -> None:
    assert b"".join(float32_text(np.array([value], np.float32))) == text


@pytest.mark.parametrize("size", [0, 1, 4095, 4096, 4097, 10_000])
def test_long_arrays_are_written_in_pieces(size: int) -> None:
    array = np.random.default_rng(size).standard_normal(size).astype(np.float32)
    array[::100] = np.nan
    text = b"".join(float32_text(array.reshape(1, -1)))
    assert np.array_equal(np.array(json.loads(text), np.float32), array, equal_nan=True)


def test_an_array_need_not_lie_in_one_piece() -> None:
    array = np.arange(12, dtype=np.float32).reshape(3, 4)[:, ::2]
    assert json.loads(b"".join(float32_text(array))) == [0, 2, 4, 6, 8, 10]


@pytest.mark.parametrize("text", ["[NaN, Infinity, -Infinity]", "[1e999, -1e999]", '{"a": "\\u00e9"}', "1.5e-3", '"ü"'])
def test_what_json_of_the_standard_library_reads_is_read_the_same(text: str) -> None:
    assert repr(read_json(text.encode())) == repr(json.loads(text))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[1,]", "no JSON: "),
        ("[1] 2", "no JSON: Extra data, at byte 4"),
        ('["ü", x]', "no JSON: Expecting value, at byte 7"),
        ('"\\ud800"', "no JSON: not UTF-8"),
        ("[" * 100_000, "no JSON: "),
        ("9" * 5000, "no JSON: Exceeds the limit"),
    ],
)
def test_what_is_none_is_told_the_same_way(text: str, told: str) -> None:
    with pytest.raises(InvalidArgumentError) as refused:
        read_json(text.encode())
    assert refused.value.reason is Reason.MALFORMED_MESSAGE
    assert refused.value.message.startswith(told)


@given(st.binary(max_size=40))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        read_json(data)
    except InvalidArgumentError as refused:
        assert refused.reason is Reason.MALFORMED_MESSAGE


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=12,
)


@given(_JSON, st.sampled_from(sorted(DATA_TYPES)))
def test_any_value_is_data_or_is_refused_by_its_path(value: object, datatype: str) -> None:
    kind = DATA_TYPES[datatype]
    try:
        elements = read_elements(value, kind, "inputs[3].data")
    except InvalidArgumentError as refused:
        assert refused.field.startswith("inputs[3].data")
    else:
        assert (elements.ndim, elements.dtype) == (1, kind.dtype)
