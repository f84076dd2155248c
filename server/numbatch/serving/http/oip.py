"""The Open Inference Protocol over HTTP, but for inference: JSON about the server, its models, its shared memory."""

from collections.abc import Callable
from typing import Any

from aiohttp import web

from numbatch.serving.http.bodies import Bodies
from numbatch.serving.http.gate import Behaviour, Gate
from numbatch.serving.http.infer_requests import check_json_size
from numbatch.serving.http.json_fields import Object, as_object, count_in, flag_in, parameters_in, text_in
from numbatch.serving.http.json_text import read_json
from numbatch.serving.http.refusals import json_answer
from numbatch.serving.oip.service import OipService, no_gpu
from numbatch.serving.oip.shared_memory import Region
from numbatch.serving.security.access import Scope

# The JSON that is to be sent; None: an empty body.
Answer = Callable[[web.Request], Any]

_MODEL = "/v2/models/{name}"
_VERSION = _MODEL + "/versions/{version}"
_SYSTEM, _CUDA = "/v2/systemsharedmemory", "/v2/cudasharedmemory"


class OipRoutes:
    """Answers all of the protocol but inference.

    Parameters
    ----------
    service : OipService
        Knows the answers.
    bodies : Bodies
        Reads requests.
    max_json_bytes : int
        The most JSON of one.
    """

    def __init__(self, service: OipService, bodies: Bodies, *, max_json_bytes: int) -> None:
        self._service = service
        self._bodies = bodies
        self._max_json_bytes = max_json_bytes

    def routes(self, gate: Gate) -> list[web.RouteDef]:
        """Return the routes; of two that match, the first counts."""
        return [*self._of_health(gate), *self._of_models(gate), *self._of_control(gate), *self._of_settings(gate)]

    def _of_health(self, gate: Gate) -> list[web.RouteDef]:
        service = self._service

        async def live(_: web.Request) -> web.StreamResponse:
            return _yes_or_no("live", service.live)

        async def ready(_: web.Request) -> web.StreamResponse:
            return _yes_or_no("ready", service.ready)

        async def model_ready(request: web.Request) -> web.StreamResponse:
            return _yes_or_no("ready", service.model_ready(*_model(request)))

        return [
            gate.get("/v2/health/live", live, None),
            gate.get("/v2/health/ready", ready, None),
            gate.get(_MODEL + "/ready", model_ready, None),
            gate.get(_VERSION + "/ready", model_ready, None),
        ]

    def _of_models(self, gate: Gate) -> list[web.RouteDef]:
        service = self._service
        answers: dict[str, Answer] = {
            "/v2": lambda _: service.server_metadata(),
            "/v2/models": lambda _: {"models": sorted({each["name"] for each in service.repository_index()})},
            "/v2/models/stats": lambda _: service.model_statistics("", ""),
        }
        for path in (_MODEL, _VERSION):
            answers |= {
                path: lambda request: service.model_metadata(*_model(request)),
                path + "/config": lambda request: service.model_config(*_model(request)),
                path + "/stats": lambda request: service.model_statistics(*_model(request)),
            }
        return [gate.get(path, _told(answer), Scope.INFERENCE) for path, answer in answers.items()]

    def _of_control(self, gate: Gate) -> list[web.RouteDef]:
        return [
            gate.post("/v2/repository/index", self._index, Scope.INFERENCE),
            gate.post("/v2/repository/models/{name}/load", self._load, Scope.CONTROL),
            gate.post("/v2/repository/models/{name}/unload", self._unload, Scope.CONTROL),
            gate.get(_SYSTEM + "/status", _told(self._status), Scope.INFERENCE),
            gate.get(_SYSTEM + "/region/{name}/status", _told(self._status), Scope.INFERENCE),
            gate.post(_SYSTEM + "/region/{name}/register", self._register, Scope.CONTROL),
            gate.post(_SYSTEM + "/region/{name}/unregister", self._unregister, Scope.CONTROL),
            gate.post(_SYSTEM + "/unregister", self._unregister, Scope.CONTROL),
            gate.get(_CUDA + "/status", _told(lambda _: []), Scope.INFERENCE),
            gate.get(_CUDA + "/region/{name}/status", _refuse_gpu, Scope.INFERENCE),
            gate.post(_CUDA + "/region/{name}/register", _refuse_gpu, Scope.INFERENCE),
            gate.post(_CUDA + "/region/{name}/unregister", _done, Scope.INFERENCE),
            gate.post(_CUDA + "/unregister", _done, Scope.INFERENCE),
        ]

    def _of_settings(self, gate: Gate) -> list[web.RouteDef]:
        service = self._service

        async def set_traces(request: web.Request) -> web.StreamResponse:
            return json_answer(service.trace_settings(await self._object(request), *_name(request)))

        async def set_log(request: web.Request) -> web.StreamResponse:
            return json_answer(service.log_settings(await self._object(request)))

        traces = _told(lambda request: service.trace_settings({}, *_name(request)))
        paths = ("/v2/trace/setting", _MODEL + "/trace/setting")
        return [
            *(gate.get(path, traces, Scope.INFERENCE) for path in paths),
            *(gate.post(path, set_traces, Scope.INFERENCE) for path in paths),
            gate.get("/v2/logging", _told(lambda _: service.log_settings({})), Scope.INFERENCE),
            gate.post("/v2/logging", set_log, Scope.INFERENCE),
        ]

    async def _index(self, request: web.Request) -> web.StreamResponse:
        said = await self._object(request)
        repository = text_in(said, "repository_name", "repository_name", default="")
        return json_answer(self._service.repository_index(repository, ready=flag_in(said, "ready", "ready")))

    async def _load(self, request: web.Request) -> web.StreamResponse:
        parameters = parameters_in(await self._object(request))
        name = request.match_info["name"]
        await self._service.load(name, parameters)
        return json_answer({"name": name, "load": True})  # as KServe has it; Triton has no body

    async def _unload(self, request: web.Request) -> web.StreamResponse:
        parameters = parameters_in(await self._object(request))
        name = request.match_info["name"]
        await self._service.unload(name, parameters)
        return json_answer({"name": name, "unload": True})

    async def _register(self, request: web.Request) -> web.StreamResponse:
        said = await self._object(request)
        self._service.regions.register(
            request.match_info["name"],
            text_in(said, "key", "key"),
            count_in(said, "offset", "offset", default=0),
            count_in(said, "byte_size", "byte_size"),
        )
        return web.Response()

    async def _unregister(self, request: web.Request) -> web.StreamResponse:
        self._service.regions.unregister(*_name(request))
        return web.Response()

    def _status(self, request: web.Request) -> list[Object]:
        return [_described(region) for region in self._service.regions.status(*_name(request))]

    async def _object(self, request: web.Request) -> Object:
        """Return what a body says; an empty one says nothing."""
        body = await self._bodies.read(request)
        check_json_size(len(body), self._max_json_bytes)
        return as_object(read_json(body), "the request") if body else {}


def _told(answer: Answer) -> Behaviour:
    async def tell(request: web.Request) -> web.StreamResponse:
        return json_answer(answer(request))

    return tell


def _yes_or_no(question: str, answer: bool) -> web.StreamResponse:
    """Say it by the status, as Triton does, and for KServe's client in the body as well."""
    return json_answer({question: answer}, 200 if answer else 503)


async def _refuse_gpu(_: web.Request) -> web.StreamResponse:
    raise no_gpu()


async def _done(_: web.Request) -> web.StreamResponse:
    return web.Response()


def _model(request: web.Request) -> tuple[str, str]:
    return request.match_info["name"], request.match_info.get("version", "")


def _name(request: web.Request) -> list[str]:
    return [request.match_info["name"]] if "name" in request.match_info else []


def _described(region: Region) -> Object:
    return {"name": region.name, "key": region.key, "offset": region.offset, "byte_size": region.byte_size}
