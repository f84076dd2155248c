"""Tensors in POSIX shared memory: in and out, and nothing beyond what was registered."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from numbatch.oip import grpc_inference_service_pb2 as oip
from numbatch.serving.oip.messages import Place
from numbatch.serving.oip.shared_memory import MOST_REGIONS, Regions
from numbatch.wire.errors import NumbatchError
from numbatch.wire.reasons import Code, Reason
from support.oip import SERVICE, ask, model_infer, outputs, request, set_parameter, stream
from support.raw_calls import RawCalls, raw_calls, refusal
from support.server import running_server
from support.shared_memory import SharedMemory, shared_memory
from support.tiny import tiny_model

X = np.array([[1, -2], [3, 4]], "<f4")
DOUBLED = [[2, 0], [6, 8]]


@pytest.fixture
def memory() -> Iterator[SharedMemory]:
    with shared_memory(64) as made:
        made.write(16, X.tobytes())
        yield made


@pytest.fixture
def calls() -> Iterator[RawCalls]:
    with running_server([tiny_model()]) as server, raw_calls(server.address) as calls:
        yield calls


def register(calls: RawCalls, name: str, key: str, byte_size: int, offset: int = 0) -> None:
    message = oip.SystemSharedMemoryRegisterRequest(name=name, key=key, offset=offset, byte_size=byte_size)
    ask(calls, "SystemSharedMemoryRegister", message, oip.SystemSharedMemoryRegisterResponse)


def unregister(calls: RawCalls, name: str = "") -> None:
    message = oip.SystemSharedMemoryUnregisterRequest(name=name)
    ask(calls, "SystemSharedMemoryUnregister", message, oip.SystemSharedMemoryUnregisterResponse)


def status(calls: RawCalls, name: str = "") -> dict[str, tuple[str, int, int]]:
    message = oip.SystemSharedMemoryStatusRequest(name=name)
    answer = ask(calls, "SystemSharedMemoryStatus", message, oip.SystemSharedMemoryStatusResponse)
    return {name: (region.key, region.offset, region.byte_size) for name, region in answer.regions.items()}


def in_memory(
    place: tuple[str, int, int], *, out: tuple[str, int, int] | None = None, datatype: str = "FP32"
) -> oip.ModelInferRequest:
    """A request whose input is in memory, and its output too if it is said where: region, size, offset."""
    message = oip.ModelInferRequest(model_name="tiny")
    tensor = message.inputs.add(name="input", datatype=datatype, shape=X.shape)
    at(tensor.parameters, *place)
    if out is not None:
        at(message.outputs.add(name="positive").parameters, *out)
    return message


def at(parameters: object, region: str, byte_size: int, offset: int) -> None:
    set_parameter(parameters, "shared_memory_region", region)
    set_parameter(parameters, "shared_memory_byte_size", byte_size)
    if offset:
        set_parameter(parameters, "shared_memory_offset", offset)


def test_inputs_and_outputs_stay_in_memory(calls: RawCalls, memory: SharedMemory) -> None:
    register(calls, "r", memory.key, 48, offset=16)
    message = in_memory(("r", 16, 0), out=("r", 20, 24))
    for streamed in (False, True):
        response = stream(calls, [message])[0].infer_response if streamed else model_infer(calls, message)
        (output,) = response.outputs
        assert (output.name, list(output.shape)) == ("positive", [2, 2])
        assert {name: value.WhichOneof("parameter_choice") for name, value in output.parameters.items()} == {
            "shared_memory_region": "string_param",
            "shared_memory_byte_size": "int64_param",
            "shared_memory_offset": "int64_param",
        }
        assert output.parameters["shared_memory_byte_size"].int64_param == 16
        assert list(response.raw_output_contents) == [b""]
        assert np.frombuffer(memory.read(), "<f4", 4, 40).reshape(2, 2).tolist() == DOUBLED
        memory.write(40, bytes(16))
    assert memory.read()[:40] == bytes(16) + X.tobytes() + bytes(8)  # and nothing else was written


def test_inputs_in_memory_and_in_the_message_go_together(calls: RawCalls, memory: SharedMemory) -> None:
    register(calls, "r", memory.key, 64)
    assert outputs(model_infer(calls, in_memory(("r", 16, 16))))["positive"].tolist() == DOUBLED
    both = in_memory(("r", 16, 16))
    both.raw_input_contents.append(X.tobytes())
    assert refusal(lambda: model_infer(calls, both)).field == "raw_input_contents"


def test_regions_are_listed_and_forgotten(calls: RawCalls, memory: SharedMemory) -> None:
    assert status(calls) == {}
    register(calls, "a", memory.key, 16)
    register(calls, "b", memory.key, 32, offset=8)
    assert status(calls) == {"a": (memory.key, 0, 16), "b": (memory.key, 8, 32)}
    assert status(calls, "b") == {"b": (memory.key, 8, 32)}
    unregister(calls, "a")
    unregister(calls, "a")  # is forgotten already
    assert list(status(calls)) == ["b"]
    refused = refusal(lambda: status(calls, "a"))
    assert (refused.field, refused.got, refused.expected) == ("name", "'a'", "'b'")
    unregister(calls)
    assert status(calls) == {}
    assert refusal(lambda: model_infer(calls, in_memory(("b", 16, 8)))).expected == "nothing: no region is registered"


def test_a_region_outlives_the_name_of_its_object(calls: RawCalls) -> None:
    with shared_memory(16) as memory:
        memory.write(0, X.tobytes())
        register(calls, "r", memory.key, 16)
    assert outputs(model_infer(calls, in_memory(("r", 16, 0))))["positive"].tolist() == DOUBLED


NOT_REGISTERED = {
    "no name": ({"name": ""}, "name"),
    "long name": ({"name": "r" * 256}, "name"),
    "name that is taken": ({"name": "taken"}, "name"),
    "no key": ({"key": ""}, "key"),
    "no object": ({"key": "/numbatch-test-none"}, "key"),
    "a folder": ({"key": "/."}, "key"),
    "outside": ({"key": "/../etc/hostname"}, "key"),
    "a path": ({"key": "/a/b"}, "key"),
    "no text": ({"key": "/\x00"}, "key"),
    "long key": ({"key": "/" + "r" * 256}, "key"),
    "no bytes": ({"byte_size": 0}, "byte_size"),
    "beyond the end": ({"byte_size": 65}, "byte_size"),
    "from the end on": ({"offset": 64}, "byte_size"),
    "a size beyond 63 bits": ({"byte_size": 2**64 - 1}, "byte_size"),
    "an offset beyond 63 bits": ({"offset": 2**64 - 1}, "offset"),
    "an end beyond 63 bits": ({"offset": 2**63 - 4, "byte_size": 8}, "offset"),
}


@pytest.mark.parametrize(("fields", "field"), NOT_REGISTERED.values(), ids=NOT_REGISTERED)
def test_what_is_no_region_is_refused(
    calls: RawCalls, memory: SharedMemory, fields: dict[str, object], field: str
) -> None:
    register(calls, "taken", memory.key, 8)
    whole = {"name": "r", "key": memory.key, "byte_size": 8, "offset": 0, **fields}
    data = oip.SystemSharedMemoryRegisterRequest(**whole).SerializeToString()  # type: ignore[arg-type]
    refused = refusal(lambda: calls.unary(SERVICE + "SystemSharedMemoryRegister", data))
    assert (refused.reason, refused.field) == (Reason.INVALID_FIELD, field)
    assert list(status(calls)) == ["taken"]


@pytest.mark.parametrize(
    ("message", "reason", "field"),
    [
        (in_memory(("r", 12, 0)), Reason.BYTE_COUNT_MISMATCH, "inputs[0].parameters.shared_memory_byte_size"),
        (in_memory(("r", 16, 33)), Reason.INVALID_FIELD, "inputs[0].parameters.shared_memory_byte_size"),
        (in_memory(("r", 16, 2**62)), Reason.INVALID_FIELD, "inputs[0].parameters.shared_memory_byte_size"),
        (
            in_memory(("r", 16, 0), datatype="FP64"),
            Reason.BYTE_COUNT_MISMATCH,
            "inputs[0].parameters.shared_memory_byte_size",
        ),
        (in_memory(("s", 16, 0)), Reason.INVALID_FIELD, "inputs[0].parameters.shared_memory_region"),
        (
            in_memory(("r", 16, 0), out=("r", 15, 16)),
            Reason.BYTE_COUNT_MISMATCH,
            "outputs[0].parameters.shared_memory_byte_size",
        ),
        (
            in_memory(("r", 16, 0), out=("r", 16, 40)),
            Reason.INVALID_FIELD,
            "outputs[0].parameters.shared_memory_byte_size",
        ),
    ],
)
def test_what_is_not_in_a_region_is_refused_and_nothing_is_written(
    calls: RawCalls, memory: SharedMemory, message: oip.ModelInferRequest, reason: Reason, field: str
) -> None:
    register(calls, "r", memory.key, 48)
    before = memory.read()
    refused = refusal(lambda: model_infer(calls, message))
    assert (refused.reason, refused.field) == (reason, field)
    assert memory.read() == before


def test_shared_memory_is_no_way_around_the_limit_of_messages(memory: SharedMemory) -> None:
    with running_server([tiny_model()], max_message_bytes=1024) as server, raw_calls(server.address) as calls:
        memory.resize(2048)
        register(calls, "r", memory.key, 2048)
        message = in_memory(("r", 1024, 0))
        message.inputs[0].shape[:] = [128, 2]
        assert outputs(model_infer(calls, in_memory(("r", 16, 16))))["positive"].tolist() == DOUBLED
        message.inputs.add().CopyFrom(message.inputs[0])
        refused = refusal(lambda: model_infer(calls, message))
        assert (refused.reason, refused.field) == (Reason.MESSAGE_TOO_LARGE, "inputs")
        assert (refused.got, refused.expected) == ("2048 bytes", "at most 1024 bytes, the limit of messages")


def test_memory_that_has_become_shorter_fails_a_request_and_no_process(calls: RawCalls, memory: SharedMemory) -> None:
    register(calls, "r", memory.key, 64)
    memory.resize(20)
    refused = refusal(lambda: model_infer(calls, in_memory(("r", 16, 16))))
    assert (refused.reason, refused.field) == (Reason.INVALID_FIELD, "inputs[0].parameters.shared_memory_region")
    refused = refusal(lambda: model_infer(calls, in_memory(("r", 16, 0), out=("r", 16, 32))))
    assert refused.field == "outputs[0].parameters.shared_memory_region"
    assert len(memory.read()) == 20  # it was not made longer again
    assert outputs(model_infer(calls, request("tiny", [1, 1])))["positive"].tolist() == [2, 2]


def test_a_link_or_a_pipe_is_no_shared_memory(tmp_path: Path) -> None:
    regions = Regions()
    with shared_memory(8) as memory:
        memory.path.unlink()
        for is_link in (True, False):
            if is_link:
                memory.path.symlink_to("/etc/hostname")
            else:
                os.mkfifo(memory.path)
            with pytest.raises(NumbatchError) as refused:
                regions.register("r", memory.key, 0, 1)
            assert refused.value.field == "key"
            memory.path.unlink()
        memory.path.touch()


def test_with_several_workers_no_region_can_be_registered() -> None:
    with shared_memory(8) as memory, pytest.raises(NumbatchError, match="--workers 1") as refused:
        Regions(shared_by_all=False).register("r", memory.key, 0, 8)
    assert (refused.value.reason, refused.value.code) == (Reason.FEATURE_UNSUPPORTED, Code.UNIMPLEMENTED)


def test_there_is_an_end_of_regions_and_their_files_are_closed() -> None:
    regions = Regions()
    with shared_memory(8) as memory:
        before = len(os.listdir("/proc/self/fd"))
        for number in range(MOST_REGIONS):
            regions.register(str(number), memory.key, 0, 8)
        with pytest.raises(NumbatchError) as refused:
            regions.register("one more", memory.key, 0, 8)
        assert (refused.value.reason, refused.value.field) == (Reason.SERVER_OVERLOADED, "name")
        assert bytes(regions.read(Place("7", 4, 4), "inputs[0]")) == bytes(4)
        regions.close()
        assert len(os.listdir("/proc/self/fd")) == before
