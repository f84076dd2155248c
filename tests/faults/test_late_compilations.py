"""Whatever a client asks for, a server that is ready has it compiled: a request never waits for the compiler."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from numbatch.models import Activation, Dense, Flatten, Input, Sequential, Softmax
from numbatch.v1.model_pb2 import Model
from support.aftermath import metrics, total, unharmed
from support.networks import ACTIVATIONS
from support.processes import serving_with_http
from support.raw_calls import infer_request, raw_calls, read_answer, stream_request
from support.server import write_model
from support.tiny import tiny_model

PRECISIONS = "WEIGHTS_PRECISION_F32", "WEIGHTS_PRECISION_BF16"

# Around the kernels' blocks of rows, batches that threads share, and requests in pieces.
ROWS = [*range(1, 26), 64, 257, 1500]


def models() -> Iterator[Model]:
    """Every kind of layer and every activation, within a dense layer and alone; widths that fill vectors, or do not."""
    for name in ACTIVATIONS:
        layers = [Dense(33, name), Activation(name), Dense(64, name), Dense(1, name)]
        yield Sequential([Input((2, 4)), Flatten(), *layers, Softmax()], seed=1).to_message(f"all-{name}")


def test_no_kind_of_request_is_compiled_for(tmp_path: Path) -> None:
    write_model(tmp_path, tiny_model())
    options: dict[str, Any] = {"compute_threads": 2, "log_level": "error"}
    with serving_with_http(tmp_path, **options) as (process, http):
        with unharmed(process.address, http, [process.popen.pid]), raw_calls(process.address) as calls:
            assert total(metrics(http), "numbatch_ready") == 1
            for number, model in enumerate(models()):
                calls.load_model(model=model, weights_precision=PRECISIONS[number % 2])
                wanted = [layer.name for layer in calls.get_model(model.name).metadata.layers]
                for rows in ROWS if number == 0 else (1, 7, 40):
                    calls.infer(model.name, np.ones((rows, 2, 4)), layers=wanted)
                    calls.infer(model.name, np.ones((rows, 2, 4)))
                list(calls.stream(stream_request(model.name, np.ones((rows, 2, 4))) for rows in ROWS))
            # Arrays that start anywhere in the message.
            for length in range(1, 9):
                request = infer_request("tiny", np.ones((2200, 2)), request_id="i" * length)
                assert (read_answer(calls.unary("/numbatch.v1.InferenceService/Infer", request))[1][0][1] == 2).all()
            found = metrics(http)
    assert total(found, "numbatch_kernel_compilations_after_ready_total") == 0
    assert {key[1][1] for key in found if key[0] == "numbatch_rows_total"} == {"1"}
