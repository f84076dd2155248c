"""grpc.health.v1: of the server, of models, of versions."""

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthListRequest, HealthListResponse

from numbatch.v1.model_pb2 import Model
from numbatch.wire.reasons import Code, Reason
from support.raw_calls import HEALTH, RawCalls, error_of, raw_calls, refusal
from support.server import running_server, write_model
from support.tiny import tiny_model


def test_the_server_is_serving_only_once_its_models_are_loaded() -> None:
    with running_server([tiny_model()], loaded=False) as server, raw_calls(server.address) as calls:
        assert [calls.health(name) for name in ("", "tiny", "tiny/1")] == ["NOT_SERVING"] * 3
        assert [calls.health(name) for name in ("liveness", "startup")] == ["SERVING", "NOT_SERVING"]
        refused = refusal(lambda: calls.infer("tiny", [1, 1]))
        assert refused.message == "version 1 of model 'tiny' is not ready: it is being loaded"
        server.run(server.server.load_models())
        assert [calls.health(name) for name in ("", "tiny", "tiny/1", "liveness", "startup")] == ["SERVING"] * 5


def test_a_model_that_failed_is_not_serving_and_the_server_is() -> None:
    with running_server([tiny_model(), Model(name="bad")]) as server, raw_calls(server.address) as calls:
        assert [calls.health(name) for name in ("", "tiny", "bad", "bad/1")] == [
            "SERVING",
            "SERVING",
            "NOT_SERVING",
            "NOT_SERVING",
        ]


def test_a_server_without_models_is_serving() -> None:
    with running_server() as server, raw_calls(server.address) as calls:
        assert calls.health() == "SERVING"


def test_versions_come_and_go() -> None:
    with running_server([tiny_model()]) as server, raw_calls(server.address) as calls:
        calls.load_model(model=tiny_model())
        calls.unload_model("tiny", 2)
        assert [calls.health(name) for name in ("tiny", "tiny/1", "tiny/2")] == ["SERVING", "SERVING", "NOT_SERVING"]
        calls.unload_model("tiny")
        assert [calls.health(name) for name in ("", "tiny", "tiny/1")] == ["SERVING", "NOT_SERVING", "NOT_SERVING"]


@pytest.mark.parametrize(
    "name", ["other", "tiny/2", "tiny/", "tiny/x", "tiny/1/1", "tiny/\u0661", "tiny/" + "9" * 5000]
)
def test_an_unknown_name_is_not_found(calls: RawCalls, name: str) -> None:
    refused = refusal(lambda: calls.health(name))
    assert (refused.code, refused.field) == (Code.NOT_FOUND, "service")


def test_bytes_that_are_no_message_are_refused(calls: RawCalls) -> None:
    refused = refusal(lambda: calls.unary(HEALTH + "Check", b"\xff"))
    assert refused.reason is Reason.MALFORMED_MESSAGE


def test_the_list_has_every_name() -> None:
    with running_server([tiny_model()]) as server, raw_calls(server.address) as calls:
        write_model(server.repository, Model(name="bad"))
        refusal(lambda: calls.load_model(model_name="bad"))
        data = calls.unary(HEALTH + "List", HealthListRequest().SerializeToString())
        statuses = {name: response.status for name, response in HealthListResponse.FromString(data).statuses.items()}
        assert statuses == {"": 1, "liveness": 1, "startup": 1, "bad": 2, "bad/1": 2, "tiny": 1, "tiny/1": 1}


def test_a_watch_tells_every_change_until_the_server_ends() -> None:
    with running_server([tiny_model()], loaded=False) as server, raw_calls(server.address) as calls:
        watched = calls.watch("tiny")
        assert next(watched) == "NOT_SERVING"
        server.run(server.server.load_models())
        assert next(watched) == "SERVING"
        calls.unload_model("tiny")
        assert next(watched) == "NOT_SERVING"
        calls.load_model(model_name="tiny")
        assert next(watched) == "SERVING"
        stopping = server.start(server.server.stop(20))
        assert next(watched) == "NOT_SERVING"
        with pytest.raises(grpc.RpcError) as ended:
            next(watched)
        assert error_of(ended.value).reason is Reason.SERVER_DRAINING
        stopping.result(10)


def test_a_name_that_is_not_known_yet_can_be_watched() -> None:
    with running_server() as server, raw_calls(server.address) as calls:
        watched = calls.watch("tiny/1")
        assert next(watched) == "SERVICE_UNKNOWN"
        calls.load_model(model=tiny_model())
        # That it was being loaded in between may be seen or not.
        assert "SERVING" in watched
