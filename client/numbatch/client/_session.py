"""What a client knows between its calls, its connection apart. The same for both clients, and safe in threads."""

import itertools
import secrets

from numbatch.client._channel import Settings, checked_timeout
from numbatch.client._errors import CallDetails
from numbatch.client._requests import Signature
from numbatch.v1.model_pb2 import Model
from numbatch.v1.repository_pb2 import GetModelResponse, LoadModelRequest
from numbatch.wire.errors import error
from numbatch.wire.precision import weights_precision
from numbatch.wire.reasons import Reason

# How long it may take to load a model.
_LOADING_S = 600.0

# How long to wait before a server that is not ready is asked again.
POLL_S = 0.05


class Session:
    """Settings, request ids, and the signatures of the models that the client has seen."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        # Dictionaries and counters of CPython are atomic in what is done with them here.
        self._signatures: dict[tuple[str, int], Signature] = {}
        self._request_ids = map(f"{secrets.token_hex(4)}-{{}}".format, itertools.count(1))

    def call(
        self, model: str = "", version: int = 0, *, timeout: float | None = None, request_id: str = ""
    ) -> CallDetails:
        """Return the details of a call, its timeout checked."""
        timeout_s = self.settings.timeout_s if timeout is None else checked_timeout(timeout)
        return CallDetails(self.settings.target.text, timeout_s, model, version, request_id)

    def loading(self, model: str, version: int, timeout: float | None) -> CallDetails:
        """Return the details of a call that loads a model."""
        return self.call(
            model, version, timeout=max(_LOADING_S, self.settings.timeout_s) if timeout is None else timeout
        )

    def metadata(self) -> tuple[tuple[str, str], ...] | None:
        """Return what is sent with every call beside its message."""
        return self.settings.security.metadata()

    def next_request_id(self) -> str:
        """Return an id that no other request has, of this client or (almost certainly) another."""
        return next(self._request_ids)

    def signature(self, call: CallDetails) -> Signature | None:
        """Return what is known of the model that a call asks."""
        return self._signatures.get((call.model, call.version))

    def learn(self, call: CallDetails, response: GetModelResponse) -> Signature:
        """Remember what the server said of a model."""
        signature = self._signatures[call.model, call.version] = Signature.of(response.metadata)
        return signature

    def forget(self, model: str) -> None:
        """Forget a model that changes."""
        for key in [key for key in self._signatures.copy() if key[0] == model]:
            self._signatures.pop(key, None)

    def describe(self, kind: str, *, closed: bool) -> str:
        """Return the `repr` of a client."""
        settings = self.settings
        return f"<{kind} {settings.target.text}, timeout {settings.timeout_s:g} s, {'closed' if closed else 'open'}>"

    def load_request(self, model: str | Model, version: int, precision: str) -> LoadModelRequest:
        """Return the request to load a model by its name, or a model itself.

        Raises
        ------
        InvalidArgumentError
            There is no such precision.
        MessageTooLargeError
            The model is over the limit of messages.
        """
        value = weights_precision(precision)
        if isinstance(model, str):
            return LoadModelRequest(model_name=model, model_version=version, weights_precision=value)
        size, limit = model.ByteSize(), self.settings.max_message_bytes
        if size > limit:
            raise error(
                Reason.MESSAGE_TOO_LARGE,
                "a model over the limit of messages, not sent",
                field="model",
                got=f"{size} bytes",
                expected=f"at most {limit} bytes",
                hint="put it into the server's model repository and load it by its name",
            )
        return LoadModelRequest(model_version=version, model=model, weights_precision=value)
