"""More requests than can be computed: what is too much is refused at once, and the rest is answered."""

from collections import Counter
from typing import Any

import grpc
import numpy as np
import pytest

from numbatch.wire.reasons import Reason
from support.aftermath import metrics, settled, total, unharmed_server
from support.gate import Gate
from support.raw_calls import INFER, error_of, infer_request, raw_calls, read_answer
from support.server import running_server
from support.tiny import tiny_model

CALLS = 400
BYTES = 4 * (2 + 2)  # of one row: its input and its output


@pytest.mark.parametrize(
    ("limit", "most"),
    [
        ("max_queued_rows", 64),
        ("max_queued_bytes", 64 * BYTES),
        ("max_in_flight", 65),
        ("max_bytes_in_flight", 65 * BYTES),
    ],
)
def test_a_limit_holds_and_what_is_over_it_is_refused_while_nothing_is_computed(
    monkeypatch: pytest.MonkeyPatch, limit: str, most: int
) -> None:
    models = [tiny_model(), tiny_model("gated")]
    config: dict[str, Any] = {limit: most, "http_listen": "127.0.0.1:0"}
    with running_server(models, **config) as server:
        gate = Gate(monkeypatch, "gated")
        with unharmed_server(server), raw_calls(server.address) as calls:
            infer = calls.channel.unary_unary(INFER)
            running = infer.future(infer_request("gated", [[0, 0]]), timeout=30)
            gate.wait_arrived()
            waiting = [infer.future(infer_request("gated", [[n, -n]]), timeout=30) for n in range(1, CALLS)]
            http = server.server.http_address
            # Of the others none has ended, or can: the one batch that runs stands at the gate.
            settled(lambda: total(metrics(http), "numbatch_refusals_total") == CALLS - 65, "the refusals")
            assert total(metrics(http), "numbatch_in_flight_requests") == 65
            assert total(metrics(http), "numbatch_queued_rows") == 64
            gate.open()
            assert running.result()
            answered = 0
            refused: Counter[tuple[grpc.StatusCode, str, str]] = Counter()
            for n, call in enumerate(waiting, 1):
                failure = call.exception()
                if failure is None:
                    ((_, output),) = read_answer(call.result())[1]
                    np.testing.assert_array_equal(output, [[2 * n, 0]])
                    answered += 1
                else:
                    error = error_of(failure)
                    assert error.retry_delay_s is not None
                    refused[failure.code(), error.reason, error.field] += 1
            assert answered == 64
            assert refused == {
                (grpc.StatusCode.RESOURCE_EXHAUSTED, Reason.SERVER_OVERLOADED, limit): CALLS - 65,
            }
            assert calls.infer("gated", [[3, 4]])[0][1].tolist() == [[6, 8]]
