"""Listing, showing, loading and unloading models over gRPC."""

from collections.abc import Iterator

import numpy as np
import pytest

from numbatch.models import Dense, Input, Sequential
from numbatch.v1.model_pb2 import Model, Weights, WeightsReference
from numbatch.v1.repository_pb2 import (
    MODEL_STATE_FAILED,
    MODEL_STATE_READY,
    MODEL_STATE_UNLOADED,
    WEIGHTS_PRECISION_BF16,
    WEIGHTS_PRECISION_F32,
    LayerSummary,
    ListModelsResponse,
    ModelStatus,
    TensorSpec,
)
from numbatch.v1.tensor_pb2 import DATA_TYPE_FLOAT32
from numbatch.wire.models import array_of
from numbatch.wire.reasons import Code, Reason
from support.manual_compute import ManualCompute
from support.raw_calls import INFER, REPOSITORY, RawCalls, infer_request, raw_calls, read_answer, refusal
from support.server import RunningServer, running_server, write_model
from support.tiny import tiny_model


def ready(name: str, version: int, *, default: bool) -> ModelStatus:
    return ModelStatus(model_name=name, model_version=version, state=MODEL_STATE_READY, default_version=default)


@pytest.fixture
def own() -> Iterator[RunningServer]:
    """Run a server for a test that changes its models."""
    with running_server([tiny_model()]) as running:
        yield running


@pytest.fixture
def own_calls(own: RunningServer) -> Iterator[RawCalls]:
    with raw_calls(own.address) as calls:
        yield calls


def answer(calls: RawCalls, version: int = 0) -> float:
    return float(calls.infer("tiny", [1, 1], version=version)[0][1][0])


def test_the_list_has_every_version_and_why_one_failed(own: RunningServer, own_calls: RawCalls) -> None:
    write_model(own.repository, Model(name="bad"), 4)
    refused = refusal(lambda: own_calls.load_model(model_name="bad"))
    failed = ModelStatus(
        model_name="bad", model_version=4, state=MODEL_STATE_FAILED, reason=f"{refused.reason}: {refused.message}"
    )
    assert own_calls.list_models() == ListModelsResponse(models=[failed, ready("tiny", 1, default=True)])


def test_the_list_comes_in_pages(own_calls: RawCalls) -> None:
    for factor in (2, 3):
        own_calls.load_model(model=tiny_model(factor=factor))
    versions, token = [], ""
    for _ in range(2):
        page = own_calls.list_models(page_size=2, page_token=token)
        versions.append([status.model_version for status in page.models])
        token = page.next_page_token
    assert (versions, token) == ([[1, 2], [3]], "")


def test_a_version_is_described_layer_by_layer(calls: RawCalls) -> None:
    metadata = calls.get_model("tiny").metadata
    (x,) = metadata.inputs
    assert metadata.status == ready("tiny", 1, default=True)
    assert list(metadata.outputs) == [TensorSpec(name="positive", data_type=DATA_TYPE_FLOAT32, shape=[2])]
    assert (x.data_type, list(x.shape)) == (DATA_TYPE_FLOAT32, [2])
    scaled, positive = metadata.layers
    assert scaled.packed_bytes >= 16
    scaled.packed_bytes = 0
    assert scaled == LayerSummary(name="scaled", kind="dense", inputs=[x.name], output_shape=[2], parameter_count=4)
    assert positive == LayerSummary(
        name="positive", kind="activation", inputs=["scaled"], output_shape=[2], activation="relu"
    )
    assert (metadata.numeric_contract, metadata.instruction_set in {"avx512", "avx2", "portable"}) == ("f32-1", True)


def test_the_weights_come_back_as_they_went(own_calls: RawCalls) -> None:
    model = Sequential([Input((7,)), Dense(5, "tanh"), Dense(3, use_bias=False)], seed=3).to_message("net")
    model.description, model.metadata["labels"] = "a test", "a,b,c"
    own_calls.load_model(model=model)
    assert not own_calls.get_model("net").HasField("model")
    returned = own_calls.get_model("net", include_weights=True).model
    assert [layer.dense for layer in returned.layers] == [layer.dense for layer in model.layers]
    assert (returned.name, returned.description, returned.metadata["labels"]) == ("net", "a test", "a,b,c")


def test_weights_over_the_limit_are_refused_with_both_sizes() -> None:
    with running_server(max_message_bytes=4096, repository=None) as server, raw_calls(server.address) as calls:
        write_model(server.repository, Sequential([Input((100,)), Dense(20)], seed=1).to_message("wide"))
        calls.load_model(model_name="wide")
        refused = refusal(lambda: calls.get_model("wide", include_weights=True))
        assert calls.get_model("wide").metadata.layers[0].parameter_count == 2020
    assert (refused.reason, refused.expected) == (Reason.MESSAGE_TOO_LARGE, "at most 4096 bytes")
    assert int(refused.got.split()[0]) > 8080
    assert "ask for it without its weights" in refused.message


def test_a_model_from_disk_is_loaded_and_replaces_the_one_before(own: RunningServer, own_calls: RawCalls) -> None:
    assert answer(own_calls) == 2
    folder = own.repository / "tiny/1"
    (folder / "model.binpb").write_bytes(tiny_model(factor=5).SerializeToString())
    assert own_calls.load_model(model_name="tiny").status == ready("tiny", 1, default=True)
    assert answer(own_calls) == 5


def test_a_request_in_progress_finishes_on_the_model_that_it_found(own: RunningServer) -> None:
    compute = ManualCompute()
    with running_server([tiny_model()], compute=compute) as server, raw_calls(server.address) as calls:
        future = calls.channel.unary_unary(INFER).future(infer_request("tiny", [1, 1]), timeout=10)
        job = compute.next_job()
        calls.load_model(model=tiny_model(factor=9), model_version=1)
        calls.unload_model("tiny")
        job.run()
        assert read_answer(future.result())[1][0][1].tolist() == [2, 2]


def test_a_model_from_a_message_answers_at_once_and_under_its_number(own_calls: RawCalls) -> None:
    assert own_calls.load_model(model=tiny_model(factor=3)).status == ready("tiny", 2, default=True)
    assert (answer(own_calls), answer(own_calls, 1), answer(own_calls, 2)) == (3, 2, 3)


def test_a_precision_is_asked_for_shown_and_kept(own_calls: RawCalls) -> None:
    def shown() -> int:
        return own_calls.get_model("tiny").metadata.weights_precision

    assert shown() == WEIGHTS_PRECISION_F32
    own_calls.load_model(model_name="tiny", weights_precision=WEIGHTS_PRECISION_BF16)
    assert shown() == WEIGHTS_PRECISION_BF16
    own_calls.load_model(model_name="tiny")
    assert shown() == WEIGHTS_PRECISION_BF16
    own_calls.load_model(model=tiny_model())
    assert shown() == WEIGHTS_PRECISION_F32


def test_the_weights_of_a_bf16_model_come_back_as_it_computes_with_them(own_calls: RawCalls) -> None:
    own_calls.load_model(model=tiny_model(factor=1 / 3), weights_precision=WEIGHTS_PRECISION_BF16)
    returned = own_calls.get_model("tiny", include_weights=True).model
    third = np.float32(0.333984375)  # the bfloat16 nearest to 1/3
    np.testing.assert_array_equal(array_of(returned.layers[0].dense.kernel), third * np.eye(2))
    assert answer(own_calls) == third


def test_the_server_is_told_the_precision_of_its_repository() -> None:
    with running_server([tiny_model()], weights_precision="bf16") as server, raw_calls(server.address) as calls:
        assert calls.get_model("tiny").metadata.weights_precision == WEIGHTS_PRECISION_BF16
        calls.load_model(model=tiny_model())
        assert calls.get_model("tiny").metadata.weights_precision == WEIGHTS_PRECISION_F32


def test_an_unknown_precision_is_refused_by_its_field(own_calls: RawCalls) -> None:
    refused = refusal(lambda: own_calls.load_model(model_name="tiny", weights_precision=7))
    assert (refused.code, refused.reason, refused.field) == (
        Code.INVALID_ARGUMENT,
        Reason.INVALID_FIELD,
        "weights_precision",
    )
    assert answer(own_calls) == 2


def test_a_replacement_that_fails_leaves_the_old_model_answering(own_calls: RawCalls) -> None:
    broken = tiny_model()
    broken.layers[0].dense.kernel.data = np.full(4, np.nan, np.float32).tobytes()
    refused = refusal(lambda: own_calls.load_model(model=broken, model_version=1))
    assert (refused.reason, refused.model, refused.version) == (Reason.WEIGHTS_NOT_FINITE, "tiny", 1)
    assert answer(own_calls) == 2


def by_reference() -> Model:
    model = tiny_model("new")
    reference = WeightsReference(file="weights.safetensors", tensor_name="w")
    model.layers[0].dense.kernel.CopyFrom(Weights(shape=[2, 2], reference=reference))
    return model


def in_a_circle() -> Model:
    model = tiny_model("new")
    model.layers[0].inputs.append("positive")
    model.layers[1].inputs.append("scaled")
    return model


def named_twice() -> Model:
    model = tiny_model("new")
    model.layers[1].name = "scaled"
    return model


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"model": by_reference()}, Reason.WEIGHTS_OUTSIDE_MODEL),
        ({"model": in_a_circle()}, Reason.MODEL_CYCLE),
        ({"model": named_twice()}, Reason.MODEL_INVALID),
        ({"model": Model(name="new")}, Reason.MODEL_INVALID),
        ({"model": tiny_model("")}, Reason.INVALID_FIELD),
        ({"model": tiny_model("new"), "model_name": "other"}, Reason.INVALID_FIELD),
        ({"model": tiny_model("new"), "model_version": -1}, Reason.INVALID_FIELD),
        ({"model_name": "tinny"}, Reason.MODEL_NOT_FOUND),
        ({"model_name": "../tiny"}, Reason.MODEL_NOT_FOUND),
        ({"model_name": "tiny", "model_version": 8}, Reason.VERSION_NOT_FOUND),
        ({}, Reason.INVALID_FIELD),
    ],
)
def test_what_cannot_be_loaded_is_refused_and_nothing_changes(
    calls: RawCalls, fields: dict[str, object], reason: Reason
) -> None:
    before = calls.list_models()
    assert refusal(lambda: calls.load_model(**fields)).reason is reason
    assert calls.list_models() == before


def test_an_unloaded_model_is_not_ready_until_it_is_loaded_again(own_calls: RawCalls) -> None:
    (status,) = own_calls.unload_model("tiny").statuses
    assert status == ModelStatus(model_name="tiny", model_version=1, state=MODEL_STATE_UNLOADED)
    refused = refusal(lambda: own_calls.infer("tiny", [1, 1]))
    assert (refused.reason, refused.code) == (Reason.MODEL_NOT_READY, Code.UNAVAILABLE)
    assert refused.message == "version 1 of model 'tiny' is not ready: it was unloaded"
    own_calls.load_model(model_name="tiny")
    assert answer(own_calls) == 2


@pytest.mark.parametrize("method", ["ListModels", "GetModel", "LoadModel", "UnloadModel"])
def test_bytes_that_are_no_message_are_refused(calls: RawCalls, method: str) -> None:
    refused = refusal(lambda: calls.unary(REPOSITORY + method, b"\xff\xff\xff"))
    assert refused.reason is Reason.MALFORMED_MESSAGE
    assert refused.message == f"3 bytes that are no numbatch.v1.{method}Request"


@pytest.mark.parametrize("method", ["get_model", "unload_model"])
@pytest.mark.parametrize(
    ("name", "version", "reason"),
    [
        ("other", 0, Reason.MODEL_NOT_FOUND),
        ("tiny", 2, Reason.VERSION_NOT_FOUND),
        ("", 0, Reason.INVALID_FIELD),
        ("tiny", -1, Reason.INVALID_FIELD),
    ],
)
def test_what_is_not_known_is_neither_shown_nor_unloaded(
    calls: RawCalls, method: str, name: str, version: int, reason: Reason
) -> None:
    assert refusal(lambda: getattr(calls, method)(name, version)).reason is reason


@pytest.mark.parametrize(("size", "token", "field"), [(-1, "", "page_size"), (0, "?", "page_token")])
def test_a_wrong_page_is_refused(calls: RawCalls, size: int, token: str, field: str) -> None:
    assert refusal(lambda: calls.list_models(size, token)).field == field
