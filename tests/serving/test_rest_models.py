"""What the server says of itself and its models over HTTP, and how models come and go."""

import mmap
import secrets
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support.manual_compute import ManualCompute
from support.rest import Rest, tensor
from support.server import RunningServer, running_server, write_model
from support.tiny import tiny_model
from support.towers import tower

ANYWHERE = "127.0.0.1:0"
GOOD = {"inputs": [tensor("input", [[1, 2]])]}


@pytest.fixture
def server() -> Iterator[RunningServer]:
    with running_server([tiny_model(), tower()], http_listen=ANYWHERE) as running:
        yield running


@pytest.fixture
def rest(server: RunningServer) -> Rest:
    return Rest(server.server.http_address)


def test_the_server_is_live_from_the_start_and_ready_when_its_models_are_loaded() -> None:
    with running_server([tiny_model()], http_listen=ANYWHERE, loaded=False) as loading:
        rest = Rest(loading.server.http_address)
        paths = ["/v2/health/live", "/v2/health/ready", "/v2/models/tiny/ready", "/v2/models/tiny/versions/1/ready"]
        assert [rest.get(path).status for path in paths] == [200, 503, 503, 503]
        loading.run(loading.server.load_models())
        assert [rest.get(path).status for path in paths] == [200, 200, 200, 200]
        assert [rest.get(path).json for path in paths] == [{"live": True}, *[{"ready": True}] * 3]


def test_it_is_not_live_without_the_threads_that_compute() -> None:
    class Dead(ManualCompute):
        is_alive = False

    with running_server([tiny_model()], compute=Dead(), http_listen=ANYWHERE) as running:
        assert Rest(running.server.http_address).get("/v2/health/live").status == 503


@pytest.mark.parametrize(
    ("path", "status"),
    [("other", 503), ("tiny/versions/2", 503), ("tiny/versions/0", 400), ("tiny/versions/x", 400), ("%20", 503)],
)
def test_models_that_are_not_ready(rest: Rest, path: str, status: int) -> None:
    assert rest.get(f"/v2/models/{path}/ready").status == status


def test_the_server_says_what_it_is(rest: Rest) -> None:
    said = rest.get("/v2").json
    assert (said["name"], said["version"]) == ("numbatch", version("numbatch"))
    assert {"binary_tensor_data", "model_repository", "system_shared_memory"} <= set(said["extensions"])
    assert rest.get("/v2/models").json == {"models": ["tiny", "tower"]}


@pytest.mark.parametrize("path", ["/v2/models/tower", "/v2/models/tower/versions/1"])
def test_a_model_says_what_it_takes_and_gives(rest: Rest, path: str) -> None:
    assert rest.get(path).json == {
        "name": "tower",
        "versions": ["1"],
        "platform": "numbatch",
        "inputs": [
            {"name": "x", "datatype": "FP32", "shape": [-1, 8]},
            {"name": "user", "datatype": "INT32", "shape": [-1, 1]},
            {"name": "words", "datatype": "INT32", "shape": [-1, 6]},
        ],
        "outputs": [
            {"name": "score", "datatype": "FP32", "shape": [-1, 1]},
            {"name": "kind", "datatype": "FP32", "shape": [-1, 3]},
        ],
    }


def test_a_model_says_how_it_is_served(rest: Rest) -> None:
    said = rest.get("/v2/models/tiny/config").json
    assert (said["name"], said["max_batch_size"]) == ("tiny", 1024)
    assert said["input"] == [{"name": "input", "data_type": "TYPE_FP32", "dims": [2]}]
    assert rest.get("/v2/models/tiny/versions/1/config").json == said


def test_a_model_says_what_it_has_done(rest: Rest) -> None:
    rest.infer("tiny", GOOD)
    rest.infer("tiny", {"inputs": []})
    (said,) = rest.get("/v2/models/tiny/stats").json["model_stats"]
    assert (said["name"], said["version"], said["inference_count"]) == ("tiny", "1", 1)
    assert said["inference_stats"]["success"]["count"] == 1
    assert rest.get("/v2/models/tiny/versions/1/stats").json["model_stats"] == [said]
    assert [each["name"] for each in rest.get("/v2/models/stats").json["model_stats"]] == ["tiny", "tower"]


@pytest.mark.parametrize("what", ["", "/config", "/stats", "/trace/setting"])
def test_questions_about_models_that_there_are_not(rest: Rest, what: str) -> None:
    status, reason, text = rest.get(f"/v2/models/tinny{what}").problem
    assert (status, reason) == (404, "MODEL_NOT_FOUND")
    assert text.endswith("did you mean 'tiny'?")
    if what != "/trace/setting":
        assert rest.get(f"/v2/models/tiny/versions/9{what}").problem[:2] == (404, "VERSION_NOT_FOUND")


def test_head_is_get_without_the_body(rest: Rest) -> None:
    reply = rest.send("HEAD", "/v2/models/tiny", None, {})
    assert (reply.status, reply.body) == (200, b"")
    assert int(reply.headers["Content-Length"]) == len(rest.get("/v2/models/tiny").body)


def test_models_come_and_go(rest: Rest, server: RunningServer) -> None:
    def index(said: Any = None) -> list[tuple[str, str, str]]:
        models = rest.post("/v2/repository/index", said).json
        return [(each["name"], each["version"], each["state"]) for each in models]

    assert index() == [("tiny", "1", "READY"), ("tower", "1", "READY")]
    assert rest.post("/v2/repository/models/tiny/unload").json == {"name": "tiny", "unload": True}
    assert index() == [("tiny", "1", "UNAVAILABLE"), ("tower", "1", "READY")]
    assert index({"ready": True}) == [("tower", "1", "READY")]
    assert rest.infer("tiny", GOOD).problem[:2] == (503, "MODEL_NOT_READY")
    assert rest.post("/v2/repository/models/tiny/load", {}).json == {"name": "tiny", "load": True}
    assert rest.infer("tiny", GOOD).status == 200
    write_model(server.repository, tiny_model("later"))
    assert rest.post("/v2/repository/models/later/load", {"parameters": {"weights_precision": "bf16"}}).status == 200
    assert rest.get("/v2/models/later/config").json["parameters"]["weights_precision"] == {"string_value": "bf16"}


BAD_CHANGES: dict[str, tuple[str, Any, int, str]] = {
    "no such model": ("models/nothing/load", {}, 404, "MODEL_NOT_FOUND"),
    "nothing to unload": ("models/nothing/unload", None, 404, "MODEL_NOT_FOUND"),
    "a folder elsewhere": ("models/..%2F..%2Fetc/load", {}, 404, "MODEL_NOT_FOUND"),
    "a configuration": ("models/tiny/load", {"parameters": {"config": "{}"}}, 501, "FEATURE_UNSUPPORTED"),
    "a file": ("models/tiny/load", {"parameters": {"file:1/model.binpb": "AAAA"}}, 501, "FEATURE_UNSUPPORTED"),
    "no JSON": ("models/tiny/load", b"x", 400, "MALFORMED_MESSAGE"),
    "no object": ("models/tiny/unload", [], 400, "INVALID_FIELD"),
    "another repository": ("index", {"repository_name": "other"}, 501, "FEATURE_UNSUPPORTED"),
    "no truth": ("index", {"ready": 1}, 400, "INVALID_FIELD"),
}


@pytest.mark.parametrize(("path", "said", "status", "reason"), BAD_CHANGES.values(), ids=BAD_CHANGES)
def test_changes_that_are_refused(rest: Rest, path: str, said: Any, status: int, reason: str) -> None:
    reply = rest.post(f"/v2/repository/{path}", said)
    assert reply.status == status or (reply.status, status) == (400, 404)
    assert reply.json["reason"] in (reason, "INVALID_FIELD")
    assert rest.infer("tiny", GOOD).status == 200


def test_settings_are_told_and_stay(rest: Rest) -> None:
    assert rest.get("/v2/trace/setting").json["trace_level"] == ["OFF"]
    assert rest.get("/v2/models/tiny/trace/setting").json == rest.get("/v2/trace/setting").json
    assert rest.get("/v2/logging").json["log_info"] is True
    for path, change in (("trace/setting", {"trace_rate": "1"}), ("logging", {"log_info": False})):
        assert rest.post(f"/v2/{path}", {}).json == rest.get(f"/v2/{path}").json
        assert rest.post(f"/v2/{path}", change).problem[:2] == (501, "FEATURE_UNSUPPORTED")


@pytest.fixture
def memory() -> Iterator[Path]:
    path = Path("/dev/shm") / f"numbatch-test-{secrets.token_hex(8)}"
    path.write_bytes(bytes(64))
    yield path
    path.unlink()


def test_tensors_may_be_in_shared_memory(rest: Rest, memory: Path) -> None:
    with memory.open("r+b") as file, mmap.mmap(file.fileno(), 64) as mapped:
        mapped[:16] = np.array([[1, -2], [3, 4]], np.float32).tobytes()
        region = "/v2/systemsharedmemory/region/pool"
        assert rest.post(f"{region}/register", {"key": f"/{memory.name}", "byte_size": 64}).status == 200
        status = [{"name": "pool", "key": f"/{memory.name}", "offset": 0, "byte_size": 64}]
        assert rest.get(f"{region}/status").json == rest.get("/v2/systemsharedmemory/status").json == status
        at = {"shared_memory_region": "pool", "shared_memory_byte_size": 16}
        said = {
            "inputs": [{"name": "input", "datatype": "FP32", "shape": [2, 2], "parameters": at}],
            "outputs": [
                {"name": "positive", "parameters": {**at, "shared_memory_offset": 32, "shared_memory_byte_size": 32}},
                {"name": "scaled"},
            ],
        }
        positive, scaled = rest.infer("tiny", said).json["outputs"]
        assert positive["parameters"]["shared_memory_offset"] == 32
        assert "data" not in positive
        assert scaled["data"] == [2, -4, 6, 8]
        assert np.frombuffer(mapped[32:48], np.float32).tolist() == [2, 0, 6, 8]
    assert rest.post(f"{region}/unregister").status == 200
    assert rest.get("/v2/systemsharedmemory/status").json == []
    assert rest.get(f"{region}/status").problem[:2] == (400, "INVALID_FIELD")
    assert rest.post("/v2/systemsharedmemory/unregister").status == 200


@pytest.mark.parametrize(
    "said", [{}, {"key": 1, "byte_size": 8}, {"key": "/../x", "byte_size": 8}, {"key": "/x", "byte_size": -1}]
)
def test_shared_memory_that_is_none(rest: Rest, said: Any) -> None:
    assert rest.post("/v2/systemsharedmemory/region/pool/register", said).problem[:2] == (400, "INVALID_FIELD")


def test_there_is_no_memory_of_a_gpu(rest: Rest) -> None:
    assert rest.get("/v2/cudasharedmemory/status").json == []
    said = {"raw_handle": {"b64": "AAAA"}, "device_id": 0, "byte_size": 8}
    for reply in (
        rest.post("/v2/cudasharedmemory/region/r/register", said),
        rest.get("/v2/cudasharedmemory/region/r/status"),
    ):
        assert reply.problem[:2] == (501, "FEATURE_UNSUPPORTED")
    assert rest.post("/v2/cudasharedmemory/unregister").status == 200
    assert rest.post("/v2/cudasharedmemory/region/r/unregister").status == 200


def test_a_region_that_is_forgotten_or_refused_is_not_kept_open(rest: Rest, memory: Path) -> None:
    def is_open() -> bool:
        return any(file.resolve() == memory for file in Path("/proc/self/fd").iterdir())

    region, said = "/v2/systemsharedmemory/region/pool", {"key": f"/{memory.name}", "byte_size": 64}
    assert rest.post(f"{region}/register", {**said, "byte_size": 65}).status == 400
    assert not is_open()
    assert rest.post(f"{region}/register", said).status == 200
    assert rest.post(f"{region}/register", said).status == 400
    assert is_open()
    rest.post(f"{region}/unregister")
    assert not is_open()
