"""What the server says about another try, in the words that gRPC's own retrying obeys."""

import grpc
import pytest

from numbatch.client import Client, UnavailableError
from numbatch.serving.failures import draining
from numbatch.serving.rpc.status import retry_pushback_ms
from numbatch.wire.errors import NumbatchError, error
from numbatch.wire.reasons import Reason
from support.raw_calls import INFER, infer_request, raw_calls
from support.server import running_server
from support.tiny import tiny_model


@pytest.mark.parametrize(
    ("problem", "pushback_ms"),
    [
        (error(Reason.SERVER_OVERLOADED, retry_delay_s=0.25), 250),
        (error(Reason.SERVER_OVERLOADED, retry_delay_s=0.0001), 1),  # rounded up: never earlier than said
        (error(Reason.SERVER_OVERLOADED, retry_delay_s=0.0), 0),
        (error(Reason.MODEL_NOT_READY, retry_delay_s=2.0), 2000),
        (error(Reason.MODEL_NOT_READY), -1),  # its code is UNAVAILABLE, which is retried everywhere
        (error(Reason.MESSAGE_TOO_LARGE), -1),
        (error(Reason.SHAPE_MISMATCH), -1),
        (error(Reason.MODEL_INVALID), -1),
        (error(Reason.UNAUTHENTICATED), -1),
        (draining(), None),  # another server may answer
        (error(Reason.INTERNAL), None),
    ],
)
def test_another_try_is_delayed_or_ended_or_left_to_the_peer(problem: NumbatchError, pushback_ms: int | None) -> None:
    assert retry_pushback_ms(problem) == pushback_ms


def test_a_model_that_is_not_ready_ends_the_retrying_of_grpc() -> None:
    with running_server([tiny_model()]) as running, raw_calls(running.address) as calls:
        calls.unload_model("tiny")
        with pytest.raises(grpc.RpcError) as refused:
            calls.unary(INFER, infer_request("tiny", [[1.0, 2.0]]))
        assert ("grpc-retry-pushback-ms", "-1") in refused.value.trailing_metadata()
        with Client(running.address) as client, pytest.raises(UnavailableError) as known:
            client.infer("tiny", [[1.0, 2.0]])
        assert known.value.reason is Reason.MODEL_NOT_READY
