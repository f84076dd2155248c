"""Bytes that a released version wrote are read by this one, and mean the same.

golden/VERSION/ holds messages twice: as that version serialised them, and as text. Both stay as they are for good; a
release that adds fields adds a folder. A field renumbered, renamed or of another type fails here.
"""

from pathlib import Path

import pytest
from google.protobuf import text_format
from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet

from numbatch.v1.inference_pb2 import InferRequest, InferResponse, StreamInferResponse
from numbatch.v1.model_pb2 import Layer, Model
from numbatch.v1.repository_pb2 import GetModelResponse, ListModelsResponse
from numbatch.wire.codec import INFER_REQUEST
from numbatch.wire.tensors import read_tensor
from support.project import pyproject

GOLDEN = Path(__file__).parent / "golden"
TYPES: dict[str, type[Message]] = {
    "get_model_response": GetModelResponse,
    "infer_request": InferRequest,
    "infer_response": InferResponse,
    "list_models_response": ListModelsResponse,
    "model": Model,
    "stream_infer_response": StreamInferResponse,
}


@pytest.mark.parametrize("file", sorted(GOLDEN.glob("*/*.binpb")), ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_old_bytes_keep_their_meaning(file: Path) -> None:
    message = TYPES[file.stem].FromString(file.read_bytes())
    meant = text_format.Parse(file.with_suffix(".txtpb").read_text(), TYPES[file.stem]())
    assert message == meant
    assert len(UnknownFieldSet(message)) == 0


def test_this_version_has_its_golden_bytes() -> None:
    folder = GOLDEN / pyproject()["project"]["version"]
    assert sorted(file.stem for file in folder.glob("*.binpb")) == sorted(TYPES)


def test_the_golden_model_has_every_kind_of_layer() -> None:
    model = Model.FromString((GOLDEN / "0.1.0/model.binpb").read_bytes())
    kinds = {layer.WhichOneof("kind") for layer in model.layers}
    assert kinds == {field.name for field in Layer.DESCRIPTOR.oneofs_by_name["kind"].fields}


def test_the_golden_request_is_read_in_place() -> None:
    request, blobs = INFER_REQUEST.decode((GOLDEN / "0.1.0/infer_request.binpb").read_bytes())
    array = read_tensor(request.inputs[0], blobs[0], "inputs[0]")
    assert (request.model_name, list(request.layers)) == ("digits", ["hidden", "scores"])
    assert array.tolist() == [[0.5, -1.0, 3.0], [0.0, 2.0, -0.25]]
