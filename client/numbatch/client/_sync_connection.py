"""The blocking client, its inference apart: the connection, models, health."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

import grpc

from numbatch.client._calls import Stub
from numbatch.client._channel import Settings
from numbatch.client._errors import CallDetails, client_closed, errors_of, not_ready
from numbatch.client._security import Tls, Token
from numbatch.client._session import POLL_S, Session
from numbatch.v1.model_pb2 import Model
from numbatch.v1.repository_pb2 import (
    GetModelRequest,
    ListModelsRequest,
    ModelMetadata,
    ModelStatus,
    UnloadModelRequest,
)
from numbatch.wire.errors import DeadlineExceededError, UnavailableError
from numbatch.wire.models import HasMessage, as_message


class Connection:
    """What `Client` does apart from inference; it is documented there."""

    def __init__(
        self,
        server: str | Sequence[str] | None = None,
        *,
        timeout: float = 30.0,
        max_message_bytes: int = 64 * 2**20,
        tls: bool | Tls | None = None,
        token: Token | None = None,
        allow_plaintext_token: bool = False,
    ) -> None:
        settings = Settings.checked(server, timeout, max_message_bytes, tls, token, allow_plaintext_token)
        self._session = Session(settings)
        self._channel = settings.open_channel(grpc)
        self._stub = Stub(self._channel)
        self._closed = False

    def list_models(self, *, timeout: float | None = None) -> list[ModelStatus]:
        """Return how it stands with every version of every model that the server knows, by name and version.

        A version that failed to load is among them, with the reason.

        Parameters
        ----------
        timeout : float, optional
            Seconds to wait for each page of them. Default: the client's.
        """
        models: list[ModelStatus] = []
        request = ListModelsRequest()
        while True:
            page = self._call(self._stub.list_models, request, self._session.call(timeout=timeout))
            models += page.models
            if not page.next_page_token:
                return models
            request.page_token = page.next_page_token

    def get_metadata(self, model: str, *, version: int = 0, timeout: float | None = None) -> ModelMetadata:
        """Return what the server says of a model: inputs, outputs, layers with their shapes, kernels.

        From then on the client checks inputs for this model (and version) before it sends them. Where they do not fit,
        it asks again before it refuses them, so a model that was replaced meanwhile does no harm.

        Parameters
        ----------
        model : str
            The model's name.
        version : int
            The version. 0: the newest that is ready.
        timeout : float, optional
            Seconds to wait. Default: the client's.

        Raises
        ------
        NotFoundError
            The server has no such model or version.
        """
        call = self._session.call(model, version, timeout=timeout)
        response = self._call(self._stub.get_model, GetModelRequest(model_name=model, model_version=version), call)
        self._session.learn(call, response)
        metadata: ModelMetadata = response.metadata
        return metadata

    def get_model(self, model: str, *, version: int = 0, timeout: float | None = None) -> Model:
        """Return a model with its weights, all of them inline.

        Parameters
        ----------
        model, version, timeout
            As for `get_metadata`.

        Raises
        ------
        NotFoundError
            The server has no such model or version.
        MessageTooLargeError
            It is over the limit of messages.
        """
        request = GetModelRequest(model_name=model, model_version=version, include_weights=True)
        call = self._session.call(model, version, timeout=timeout)
        response = self._call(self._stub.get_model, request, call)
        loaded: Model = response.model
        return loaded

    def load_model(
        self,
        model: str | Model | HasMessage,
        *,
        version: int = 0,
        weights_precision: str = "",
        timeout: float | None = None,
    ) -> ModelStatus:
        """Have the server load a model, and wait until it is ready.

        It is asked once, never again by itself. Of several servers it is one that loads the model.

        Parameters
        ----------
        model : str, Model, or a model of `numbatch.models`
            The name of a model in the server's repository, or a model itself, with inline weights.
        version : int
            The version. 0: the newest on disk; of a model given itself, one more than the newest known.
        weights_precision : str
            "f32", or "bf16": the server rounds the weights to bfloat16, for half the memory. Default: f32 for a model
            given itself; for one in the repository, as it was loaded before, else as the server was started to do.
        timeout : float, optional
            Seconds to wait. Default: ten minutes, or the client's if that is longer, as a model may be large.

        Returns
        -------
        ModelStatus
            Of the version that is now ready. One that was loaded before under this number is replaced.

        Raises
        ------
        InvalidArgumentError
            INVALID_FIELD, if there is no such precision.
        InvalidModelError, CorruptModelError, UnsupportedError
            The model is wrong; what was loaded before stays.
        NotFoundError
            The repository has no such model or version.
        MessageTooLargeError
            The model is over the limit of messages.
        """
        given = model if isinstance(model, str) else as_message(model)
        name = given if isinstance(given, str) else given.name
        call = self._session.loading(name, version, timeout)
        with errors_of(call):
            request = self._session.load_request(given, version, weights_precision)
        response = self._call(self._stub.load_model, request, call)
        self._session.forget(name)
        status: ModelStatus = response.status
        return status

    def unload_model(self, model: str, *, version: int = 0, timeout: float | None = None) -> list[ModelStatus]:
        """Have the server unload a version of a model, or, with 0, all of them; files stay.

        It is asked once, never again by itself. Of several servers it is one that unloads the model.

        Parameters
        ----------
        model : str
            The model's name.
        version : int
            The version. 0: all of them.
        timeout : float, optional
            Seconds to wait. Default: the client's.

        Returns
        -------
        list of ModelStatus
            Of what was unloaded.

        Raises
        ------
        NotFoundError
            The server has no such model or version.
        """
        request = UnloadModelRequest(model_name=model, model_version=version)
        call = self._session.call(model, version, timeout=timeout)
        response = self._call(self._stub.unload_model, request, call)
        self._session.forget(model)
        return list(response.statuses)

    def is_ready(self, model: str = "", *, timeout: float | None = None) -> bool:
        """Return whether the server, or one of its models, answers requests; of several, one of them.

        Parameters
        ----------
        model : str
            A model's name, NAME/VERSION for one of its versions, or "" for the server as a whole.
        timeout : float, optional
            Seconds to wait. Default: the client's.

        Returns
        -------
        bool
            False also where there is no server, or none that answers in time: `list_models` would say why.

        Raises
        ------
        NotFoundError
            The server has no such model or version.
        """
        call = self._session.call(model, timeout=timeout)
        try:
            ready: bool = self._call(self._stub.check_health, model, call)
        except (UnavailableError, DeadlineExceededError):
            return False
        return ready

    def wait_ready(self, *, timeout: float | None = None) -> None:
        """Wait until there is a server and it is ready; of several, one of them.

        Parameters
        ----------
        timeout : float, optional
            Seconds to wait. Default: the client's.

        Raises
        ------
        DeadlineExceededError
            It was not ready in time; the message says whether there was one, and if not, why.
        """
        call = self._session.call(timeout=timeout)
        deadline = time.monotonic() + call.timeout_s
        found, why = False, None
        while (remaining := deadline - time.monotonic()) > 0:
            try:
                if self._call(self._stub.check_health, "", replace(call, timeout_s=remaining)):
                    return
                found, why = True, None
            except UnavailableError as failure:
                why = failure
            except DeadlineExceededError:
                pass
            time.sleep(POLL_S)
        raise not_ready(call, found, why, is_one=not self._session.settings.target.is_balanced)

    def close(self) -> None:
        """Close the connection; calls in progress are cancelled. Closing again does nothing."""
        self._closed = True
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return self._session.describe(type(self).__name__, closed=self._closed)

    def _call(self, method: Any, request: Any, call: CallDetails) -> Any:
        self._check_open()
        with errors_of(call), self._closed_meanwhile():
            return method(request, timeout=call.timeout_s, metadata=self._session.metadata())

    def _open_stream(self, requests: Iterator[bytes]) -> Any:
        if self._closed:
            raise client_closed()
        with self._closed_meanwhile():
            return self._stub.stream_infer(requests, metadata=self._session.metadata())

    @contextmanager
    def _closed_meanwhile(self) -> Iterator[None]:
        """Say what gRPC says with a ValueError: another thread has closed the channel just before."""
        try:
            yield
        except ValueError:
            if not self._closed:
                raise
            raise client_closed() from None

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError("this client is closed")
