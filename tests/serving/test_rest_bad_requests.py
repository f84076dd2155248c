"""What may come over HTTP that is no good request: a clear answer, and a server that serves on."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from support.rest import JSON_LENGTH, Reply, Rest, tensor
from support.server import running_server
from support.tiny import tiny_model

GOOD: dict[str, Any] = {"inputs": [tensor("input", [[1, 2]])]}
LIMIT = 4 * 1024 * 1024
JSON_LIMIT = 2 * 1024 * 1024


@pytest.fixture(scope="module")
def rest() -> Iterator[Rest]:
    with running_server(
        [tiny_model()], http_listen="127.0.0.1:0", max_message_bytes=LIMIT, max_json_bytes=JSON_LIMIT
    ) as running:
        yield Rest(running.server.http_address)


@pytest.fixture(autouse=True)
def _serves_on(rest: Rest) -> Iterator[None]:
    yield
    assert rest.infer("tiny", GOOD).output("positive").tolist() == [[2, 4]]


def _with(**changes: Any) -> dict[str, Any]:
    """Return a good request whose input has some fields changed; None: left out."""
    fields = {**GOOD["inputs"][0], **changes}
    return {"inputs": [{name: value for name, value in fields.items() if value is not None}]}


MALFORMED: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "no JSON: Expecting value, at byte 0"),
    "no JSON": (b"pixels=1", "no JSON: Expecting value, at byte 0"),
    "half of it": (json.dumps(GOOD).encode()[:40], "no JSON: "),
    "more than one": (b"{}{}", "no JSON: Extra data, at byte 2"),
    "another encoding": (json.dumps(GOOD).encode("utf-16"), "no JSON: not UTF-8"),
    "half a character": (b'{"id": "\\ud800"}', "no JSON: not UTF-8"),
    "thousands of digits": (b'{"id": ' + 5000 * b"9" + b"}", "no JSON: Exceeds the limit"),
}


@pytest.mark.parametrize(("body", "told"), MALFORMED.values(), ids=MALFORMED)
def test_what_is_no_json(rest: Rest, body: bytes, told: str) -> None:
    status, reason, text = rest.infer("tiny", body).problem
    assert (status, reason) == (400, "MALFORMED_MESSAGE")
    assert text.startswith(told)


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'{"inputs":['])
def test_what_is_nested_a_quarter_of_a_million_times(rest: Rest, opening: bytes) -> None:
    assert rest.infer("tiny", 250_000 * opening[:8]).problem[:2] == (400, "MALFORMED_MESSAGE")
    deep = (
        b'{"inputs":[{"name":"input","datatype":"FP32","shape":[1,2],"data":' + 500 * b"[" + b"1" + 500 * b"]" + b"}]}"
    )
    status, reason, text = rest.infer("tiny", deep).problem
    assert (status, reason) == (400, "DATA_TYPE_MISMATCH")
    assert text == "inputs[0].data: got lists nested more than 32 times, expected at most 32 axes"


def test_more_lists_than_a_request_can_have_rows(rest: Rest) -> None:
    status, reason, text = rest.infer("tiny", b"[" + 262_144 * b"[]," + b"1]").problem
    assert (status, reason) == (400, "MALFORMED_MESSAGE")
    assert text == "no JSON: 262145 lists and objects, expected at most 262144"


# What is changed of a good request -> reason, text.
WRONG: dict[str, tuple[Any, str, str]] = {
    "a list": ([], "INVALID_FIELD", "the request: got a list, expected an object"),
    "no inputs": ({}, "INVALID_FIELD", "inputs: got nothing, expected a list"),
    "an empty list of inputs": ({"inputs": []}, "MISSING_INPUT", "inputs: got no tensor, expected 'input'"),
    "an input that is none": ({"inputs": [1]}, "INVALID_FIELD", "inputs[0]: got 1, expected an object"),
    "a number as id": ({**GOOD, "id": 7}, "INVALID_FIELD", "id: got 7, expected text"),
    "a long id": ({**GOOD, "id": "x" * 200}, "INVALID_FIELD", "id: got 200 characters, expected at most 128"),
    "no name": (_with(name=None), "INVALID_FIELD", "inputs[0].name: got nothing, expected text"),
    "another name": (_with(name="x"), "UNKNOWN_INPUT", "inputs[0].name: no such input: got 'x', expected 'input'"),
    "a name twice": (
        {"inputs": GOOD["inputs"] * 2},
        "DUPLICATE_INPUT",
        "inputs[1].name: a second tensor for the same input: got 'input', expected one tensor for each input",
    ),
    "no datatype": (_with(datatype=None), "INVALID_FIELD", "inputs[0].datatype: got nothing, expected text"),
    "text": (_with(datatype="BYTES", data=["a", "b"]), "DATA_TYPE_MISMATCH", "inputs[0].datatype: no model takes text"),
    "an unknown datatype": (_with(datatype="FP8"), "DATA_TYPE_MISMATCH", "inputs[0].datatype: no data type: got 'FP8'"),
    "no shape": (_with(shape=None), "INVALID_FIELD", "inputs[0].shape: got nothing, expected a list of whole numbers"),
    "a shape of fractions": (_with(shape=[1, 2.0]), "INVALID_FIELD", "inputs[0].shape: got a list, expected a list of"),
    "a shape of truth": (_with(shape=[True, 2]), "INVALID_FIELD", "inputs[0].shape: got a list, expected a list of"),
    "a negative axis": (_with(shape=[-1, 2]), "SHAPE_MISMATCH", "inputs[0].shape: negative axis: got [-1, 2]"),
    "two negative axes": (_with(shape=[-1, -2]), "SHAPE_MISMATCH", "inputs[0].shape: negative axis: got [-1, -2]"),
    "another width": (
        _with(shape=[1, 3], data=[1, 2, 3]),
        "SHAPE_MISMATCH",
        "inputs[0].shape: got [1, 3], expected [..., 2]",
    ),
    "too few numbers": (
        _with(shape=[2, 2]),
        "BYTE_COUNT_MISMATCH",
        "inputs[0].data: got 2 elements, expected 4 for the shape [2, 2]",
    ),
    # 2^4 times 2^60 + 2 is 32 if only 64 bits of it are kept.
    "a product beyond 64 bits": (
        _with(shape=[2**4, 2**60 + 2], data=[0] * 32),
        "BYTE_COUNT_MISMATCH",
        "inputs[0].data: got 32 elements, expected 18446744073709551648 for the shape",
    ),
    "an axis beyond 64 bits": (_with(shape=[2**70, 0], data=[]), "INVALID_FIELD", "inputs[0].shape: got a list"),
    "no rows": (_with(shape=[0, 2], data=[]), "EMPTY_BATCH", "inputs[0].shape: no rows"),
    "a hundred axes": (_with(shape=[1] * 99 + [2]), "SHAPE_MISMATCH", "inputs[0].shape: no array has such a shape"),
    "no data": (
        _with(data=None),
        "INVALID_FIELD",
        "inputs[0]: where the elements are: got nothing, expected data, or in the parameters binary_data_size or",
    ),
    "a number as data": (_with(data=1), "DATA_TYPE_MISMATCH", "inputs[0].data: got 1, expected a list"),
    "an object as data": (_with(data={}), "DATA_TYPE_MISMATCH", "inputs[0].data: got an object, expected a list"),
    "rows that differ": (
        _with(data=[[1], [1, 2]]),
        "DATA_TYPE_MISMATCH",
        "inputs[0].data: got rows of 1 and of 2, expected rows of equal length",
    ),
    "numbers beside rows": (
        _with(data=[[1], 2]),
        "DATA_TYPE_MISMATCH",
        "inputs[0].data: got numbers and lists side by",
    ),
    "rows beside numbers": (_with(data=[1, [2]]), "DATA_TYPE_MISMATCH", "inputs[0].data[1]: got a list, expected a "),
    "nothing among numbers": (_with(data=[1, None]), "DATA_TYPE_MISMATCH", "inputs[0].data[1]: got nothing, expected "),
    "text among numbers": (_with(data=[1, "2"]), "DATA_TYPE_MISMATCH", "inputs[0].data[1]: got '2', expected a whole"),
    "truth among numbers": (
        _with(data=[True, 2]),
        "DATA_TYPE_MISMATCH",
        "inputs[0].data[0]: got true, expected a whole",
    ),
    "beyond FP32": (_with(data=[1, 1e39]), "DATA_TYPE_MISMATCH", "inputs[0].data: a finite number beyond the range of"),
    "an integer beyond FP64": (_with(data=[1, 10**400]), "DATA_TYPE_MISMATCH", "inputs[0].data: out of range"),
    "a fraction as INT32": (
        _with(datatype="INT32", data=[1, 2.5]),
        "DATA_TYPE_MISMATCH",
        "inputs[0].data[1]: got 2.5, expected a whole number, as INT32",
    ),
    "300 as INT8": (
        _with(datatype="INT8", data=[1, 300]),
        "DATA_TYPE_MISMATCH",
        "inputs[0].data[1]: out of range: got 300, expected -128 to 127, as INT8",
    ),
    "-1 as UINT64": (_with(datatype="UINT64", data=[-1, 1]), "DATA_TYPE_MISMATCH", "inputs[0].data[0]: out of range"),
    "2^70 as INT64": (_with(datatype="INT64", data=[2**70, 1]), "DATA_TYPE_MISMATCH", "inputs[0].data[0]: "),
    "1 as BOOL": (
        _with(datatype="BOOL", data=[1, True]),
        "DATA_TYPE_MISMATCH",
        "inputs[0].data[0]: got 1, expected true",
    ),
    "FP16 in JSON": (
        _with(datatype="FP16"),
        "DATA_TYPE_MISMATCH",
        "inputs[0].data: FP16 in JSON: got numbers, expected ",
    ),
    "BF16 in JSON": (
        _with(datatype="BF16"),
        "DATA_TYPE_MISMATCH",
        "inputs[0].data: BF16 in JSON: got numbers, expected ",
    ),
    "outputs that are none": ({**GOOD, "outputs": {}}, "INVALID_FIELD", "outputs: got an object, expected a list"),
    "an output without a name": (
        {**GOOD, "outputs": [{}]},
        "INVALID_FIELD",
        "outputs[0].name: got nothing, expected t",
    ),
    "an unknown output": (
        {**GOOD, "outputs": [{"name": "scaled"}, {"name": "x"}]},
        "UNKNOWN_LAYER",
        "outputs[1].name: no such layer: got 'x', expected one of scaled, positive",
    ),
    "an output twice": (
        {**GOOD, "outputs": [{"name": "scaled"}] * 2},
        "DUPLICATE_LAYER",
        "outputs[1].name: got 'scaled' again, expected each layer once",
    ),
    "a number for truth": (
        {**GOOD, "outputs": [{"name": "scaled", "parameters": {"binary_data": 1}}]},
        "INVALID_FIELD",
        "outputs[0].parameters.binary_data: got 1, expected true or false",
    ),
    "classes": (
        {**GOOD, "outputs": [{"name": "scaled", "parameters": {"classification": 3}}]},
        "FEATURE_UNSUPPORTED",
        "outputs[0].parameters.classification: outputs come as they are",
    ),
    "parameters that are none": ({**GOOD, "parameters": 5}, "INVALID_FIELD", "parameters: got 5, expected an object"),
    "a parameter that is a list": ({**GOOD, "parameters": {"a": []}}, "INVALID_FIELD", "parameters.a: got a list"),
    "a negative time": (
        {**GOOD, "parameters": {"timeout": -1}},
        "INVALID_FIELD",
        "parameters.timeout: got -1, expected",
    ),
    "an endless time": (
        {**GOOD, "parameters": {"timeout": 10**400}},
        "INVALID_FIELD",
        "parameters.timeout: got a number",
    ),
    "a sequence": (
        {**GOOD, "parameters": {"sequence_id": 4}},
        "FEATURE_UNSUPPORTED",
        "parameters.sequence_id: a model",
    ),
    "data in two places": (
        _with(parameters={"binary_data_size": 8}),
        "INVALID_FIELD",
        "inputs[0]: where the elements are: got data and binary_data_size, expected data, or in the",
    ),
    "an unknown region": (
        _with(data=None, parameters={"shared_memory_region": "r", "shared_memory_byte_size": 8}),
        "INVALID_FIELD",
        "inputs[0].parameters.shared_memory_region: no such region: got 'r'",
    ),
}


@pytest.mark.parametrize(("said", "reason", "text"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_told_by_its_field(rest: Rest, said: Any, reason: str, text: str) -> None:
    reply = rest.infer("tiny", said)
    assert reply.headers["Content-Type"] == "application/json"
    assert reply.problem[:2] == (501 if reason == "FEATURE_UNSUPPORTED" else 400, reason)
    assert reply.problem[2].startswith(text)


def test_a_hundred_thousand_inputs_are_too_many(rest: Rest) -> None:
    said = {"inputs": 10_000 * [{"name": "", "datatype": "FP32", "shape": [0], "data": []}]}
    assert rest.infer("tiny", said).problem[:2] == (400, "INVALID_FIELD")


@pytest.mark.parametrize("name", ["", "%20", "no.such", "..", "%00", "a%2Fb", "x" * 5000])
def test_models_that_there_are_not(rest: Rest, name: str) -> None:
    reply = rest.infer(name, GOOD)
    assert reply.status in (400, 404)
    assert reply.json["error"]


def _behind(rest: Rest, said: Any, rest_of_body: bytes, length: str | None = None) -> Reply:
    head = json.dumps(said).encode()
    headers = {JSON_LENGTH: str(len(head)) if length is None else length}
    return rest.infer("tiny", head + rest_of_body, headers)


@pytest.mark.parametrize("size", [7, 9, 0, -8, 2**63, 2**70, 8.0, "8", True])
def test_sizes_of_binary_data_that_are_not_theirs(rest: Rest, size: Any) -> None:
    said = _with(data=None, parameters={"binary_data_size": size})
    status, reason, text = _behind(rest, said, bytes(8)).problem
    assert (status, reason in ("BYTE_COUNT_MISMATCH", "INVALID_FIELD")) == (400, True)
    assert "binary" in text or "inputs[0]" in text


def test_binary_data_that_are_nobodys(rest: Rest) -> None:
    told = (
        400,
        "BYTE_COUNT_MISMATCH",
        "binary data: got 3 bytes more, expected as many as binary_data_size of all inputs says",
    )
    assert _behind(rest, GOOD, b"abc").problem == told
    # Without the header, all of the body is JSON.
    said = json.dumps(_with(data=None, parameters={"binary_data_size": 8})).encode()
    assert rest.infer("tiny", said + bytes(8)).problem[:2] == (400, "MALFORMED_MESSAGE")
    assert rest.infer("tiny", said).problem[:2] == (400, "BYTE_COUNT_MISMATCH")


@pytest.mark.parametrize("length", ["-1", "x", "", "99999", "1e2", "9" * 40])
def test_lengths_of_json_that_are_none(rest: Rest, length: str) -> None:
    status, reason, text = _behind(rest, GOOD, b"", length).problem
    assert (status, reason, text.partition(":")[0]) == (400, "INVALID_FIELD", JSON_LENGTH)


def test_more_json_than_is_read(rest: Rest) -> None:
    longest = json.dumps(GOOD).encode().ljust(JSON_LIMIT)
    assert rest.infer("tiny", longest).status == 200
    status, reason, text = rest.infer("tiny", longest + b" ").problem
    assert (status, reason) == (413, "MESSAGE_TOO_LARGE")
    assert text.startswith(
        f"more JSON than the server reads: got {JSON_LIMIT + 1} bytes, expected at most {JSON_LIMIT}"
    )
    # Behind it there may be more.
    rows = (LIMIT - 4096) // 8
    said = _with(shape=[rows, 2], data=None, parameters={"binary_data_size": 8 * rows})
    said["outputs"] = [{"name": "scaled", "parameters": {"binary_data": True}}]
    assert _behind(rest, said, bytes(8 * rows)).status == 200


def test_an_answer_over_the_limit(rest: Rest) -> None:
    rows = 250_000  # 2 MB in, as much out, and more as text
    said = _with(shape=[rows, 2], data=None, parameters={"binary_data_size": 8 * rows})
    said["outputs"] = [{"name": "scaled"}]
    numbers = b"\x12\x34\x56\x3e" * 2 * rows  # as text: 0.41846...
    status, reason, text = _behind(rest, said, numbers).problem
    assert (status, reason) == (413, "MESSAGE_TOO_LARGE")
    assert text.startswith("the answer is over the server's message limit: got ")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v2/models/tiny/infer", 405),
        ("PUT", "/v2/models/tiny/infer", 405),
        ("OPTIONS", "/v2/models/tiny/infer", 405),
        ("POST", "/v2/models/tiny", 405),
        ("POST", "/v2/models/tiny/explain", 404),
        ("GET", "/v2/", 404),
        ("GET", "/v2/nothing", 404),
    ],
)
def test_paths_and_methods_that_there_are_not(rest: Rest, method: str, path: str, status: int) -> None:
    reply = rest.send(method, path, None, {"Origin": "http://elsewhere.example"})
    assert (reply.status, reply.headers["Content-Type"]) == (status, "application/json")
    assert reply.json["error"]
    assert not [name for name in reply.headers if name.lower().startswith("access-control-")]
    if status == 405:
        assert reply.headers["Allow"]
