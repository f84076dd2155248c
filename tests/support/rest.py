"""The Open Inference Protocol over HTTP, as any client speaks it: paths, JSON and bytes."""

import http.client
import json
import ssl
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from numbatch.wire.tensors import Array

JSON_LENGTH = "Inference-Header-Content-Length"


class Reply(NamedTuple):
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The JSON that it begins with."""
        length = self.headers.get(JSON_LENGTH)
        return json.loads(self.body if length is None else self.body[: int(length)])

    @property
    def problem(self) -> tuple[int, str, str]:
        """The status, the reason and the text of a refusal, which has nothing else."""
        assert self.json.keys() <= {"error", "reason"}
        return self.status, self.json.get("reason", ""), self.json["error"]

    def output(self, name: str) -> Array:
        """Return an output, from the JSON or from behind it."""
        at = int(self.headers.get(JSON_LENGTH, len(self.body)))
        for output in self.json["outputs"]:
            size = output.get("parameters", {}).get("binary_data_size")
            if output["name"] == name:
                assert output["datatype"] == "FP32"
                flat = (
                    np.array(output["data"], "<f4") if size is None else np.frombuffer(self.body[at : at + size], "<f4")
                )
                return flat.reshape(output["shape"])
            at += size or 0
        raise AssertionError(f"no output {name!r}")


class Rest:
    """Requests to one server, each over a connection of its own."""

    def __init__(self, address: str, *, token: str = "", trust: ssl.SSLContext | None = None) -> None:
        self._address = address
        self._trust = trust
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def get(self, path: str, **headers: str) -> Reply:
        return self.send("GET", path, None, headers)

    def post(self, path: str, said: Any = None, headers: Mapping[str, str] | None = None) -> Reply:
        """POST bytes as they are, None as nothing, and anything else as JSON."""
        body = said if isinstance(said, bytes) else b"" if said is None else json.dumps(said).encode()
        return self.send("POST", path, body, headers or {})

    def infer(self, model: str, said: Any, headers: Mapping[str, str] | None = None) -> Reply:
        return self.post(f"/v2/models/{model}/infer", said, headers)

    def infer_binary(self, model: str, said: Mapping[str, Any], *blobs: bytes, **headers: str) -> Reply:
        """Send JSON, and bytes behind it."""
        head = json.dumps(said).encode()
        return self.infer(model, head + b"".join(blobs), {JSON_LENGTH: str(len(head)), **headers})

    def send(self, method: str, path: str, body: Any, headers: Mapping[str, str]) -> Reply:
        host, _, port = self._address.rpartition(":")
        connection: http.client.HTTPConnection
        if self._trust is None:
            connection = http.client.HTTPConnection(host, int(port), timeout=20)
        else:
            connection = http.client.HTTPSConnection(host, int(port), timeout=20, context=self._trust)
        with closing(connection):
            connection.request(method, path, body, {**self._headers, **headers})
            response = connection.getresponse()
            return Reply(response.status, dict(response.headers.items()), response.read())


def tensor(
    name: str, data: npt.ArrayLike, datatype: str = "FP32", shape: Sequence[int] | None = None, **parameters: Any
) -> dict[str, Any]:
    """Return an input whose data are in the JSON."""
    array = np.asarray(data)
    said = {"name": name, "datatype": datatype, "shape": list(array.shape if shape is None else shape), "data": data}
    return {**said, "parameters": parameters} if parameters else said


def binary_tensor(name: str, array: Array, datatype: str = "FP32") -> dict[str, Any]:
    """Return an input whose data are behind the JSON."""
    parameters = {"binary_data_size": array.nbytes}
    return {"name": name, "datatype": datatype, "shape": list(array.shape), "parameters": parameters}
