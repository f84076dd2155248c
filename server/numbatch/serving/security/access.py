"""What callers may do: two scopes, inference and repository control.

============================  ==========================================  =================================
                              inference                                   control
============================  ==========================================  =================================
what belongs to it            Infer, StreamInfer, ListModels, GetModel    LoadModel, UnloadModel, GetModel
                                                                          with weights
of the Open Inference         inference, metadata, configuration,         load, unload, register and unregister
Protocol                      statistics, index, status, settings         shared memory
without any tokens            everybody                                   everybody on a server that only
                                                                          its machine can reach, else nobody
with tokens                   who has one of either scope                 who has a control token
============================  ==========================================  =================================

Control may be switched on or off whatever the address. Switched on where there are tokens for inference alone, it is
for whoever has one. Health, also that of the Open Inference Protocol, and reflection are open: probes carry no tokens,
and they tell nothing that is secret. Shared memory is for who may control: what is registered, the server reads and
writes on behalf of callers who could not.
"""

import os
from collections.abc import Callable, Mapping
from enum import Enum

from numbatch.serving.address import is_local, unix_path
from numbatch.serving.config import ServerConfig
from numbatch.serving.security.tokens import Tokens
from numbatch.wire.errors import NumbatchError, error
from numbatch.wire.reasons import Reason

# Raises for a caller with this `authorization`, or without one, who may not.
Check = Callable[[str | None], None]

_SOURCES = {
    "inference_tokens_file": "NUMBATCH_INFERENCE_TOKENS",
    "control_tokens_file": "NUMBATCH_CONTROL_TOKENS",
}


class Scope(Enum):
    """What a call needs the right to."""

    INFERENCE = "inference"
    CONTROL = "repository control"


class Access:
    """Decides who may do what.

    Parameters
    ----------
    inference, control : Tokens
        The tokens of each scope.
    control_on : bool
        Whether models can be controlled at all.
    """

    def __init__(self, inference: Tokens, control: Tokens, *, control_on: bool) -> None:
        self._inference = inference
        self._control = control
        self._known = [tokens for tokens in (inference, control) if tokens.configured]
        self._control_on = control_on

    @property
    def uses_tokens(self) -> bool:
        """Whether callers bring tokens."""
        return bool(self._known)

    def check_for(self, scope: Scope) -> Check | None:
        """Return what refuses the callers without a right; None where everybody has it, which then costs nothing.

        The check raises AccessDeniedError: UNAUTHENTICATED without a token that is known, PERMISSION_DENIED where it is
        not enough.
        """
        if scope is Scope.INFERENCE:
            return self._authenticate if self._inference.configured else None
        return None if self._control_on and not self._known else self._check_control

    def over_http(self, config: ServerConfig) -> "Access":
        """Return the same for HTTP: nobody controls models there by default where more can reach it than gRPC."""
        control_on = self._control_on
        wider = unix_path(config.listen) is not None or not is_local(config.http_listen or config.listen)
        if config.repository_control == "auto" and not self._known and wider:
            control_on = False
        return Access(self._inference, self._control, control_on=control_on)

    def _authenticate(self, authorization: str | None) -> None:
        self._token(authorization)

    def _check_control(self, authorization: str | None) -> None:
        token = self._token(authorization) if self._known else ""
        if not self._control_on:
            raise error(
                Reason.PERMISSION_DENIED,
                "models cannot be controlled over the network on this server",
                hint="its operator allows it with --control-tokens-file, or --repository-control on",
            )
        if self._control.configured and token not in self._control:
            raise error(
                Reason.PERMISSION_DENIED, "this token is for inference only", expected="a token for repository control"
            )

    def _token(self, authorization: str | None) -> str:
        """Return the token of a caller who is known."""
        scheme, _, token = (authorization or "").partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            raise _unauthenticated("no bearer token")
        # Every set is asked, so that the time does not tell which one knows it.
        if not any([token in tokens for tokens in self._known]):  # noqa: C419
            raise _unauthenticated("a token that is not known")
        return token


def access_for(config: ServerConfig, environ: Mapping[str, str] = os.environ) -> Access:
    """Return what the configuration and the environment say.

    Raises
    ------
    InvalidArgumentError
        INVALID_FIELD, if tokens cannot be read.
    """
    inference, control = (Tokens(name, getattr(config, name), variable, environ) for name, variable in _SOURCES.items())
    # Where there are tokens for inference alone, nobody without one shall control models.
    by_default = control.configured or (not inference.configured and is_local(config.listen))
    control_on = {"on": True, "off": False, "auto": by_default}[config.repository_control]
    return Access(inference, control, control_on=control_on)


def _unauthenticated(came: str) -> NumbatchError:
    expected = '"authorization: Bearer TOKEN", as metadata or a header, with a token of this server'
    return error(Reason.UNAUTHENTICATED, got=came, expected=expected)
