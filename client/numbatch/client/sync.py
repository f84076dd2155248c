"""The blocking client."""

from collections.abc import Generator, Iterable, Sequence
from dataclasses import replace
from typing import Any, Literal, overload

from numbatch.client._answers import Expected, Outputs
from numbatch.client._errors import CallDetails, errors_of
from numbatch.client._requests import Inputs, Minibatch, Question, checked_layers, checked_priority
from numbatch.client._streams import Plan
from numbatch.client._sync_connection import Connection
from numbatch.client._sync_stream import stream_answers
from numbatch.v1.repository_pb2 import GetModelRequest
from numbatch.wire.errors import NumbatchError
from numbatch.wire.tensors import Array


class Client(Connection):
    """A connection to a numbatch server.

    It may be used by many threads at once, and one is enough for a process; each stream belongs to one thread. It
    connects with its first call, and again by itself when the connection is lost; calls that only read are repeated a
    moment later if the server was not there. Make it after forking, not before: gRPC's threads do not survive a fork.

    Parameters
    ----------
    server : str or sequence of str, optional
        HOST:PORT or unix:PATH: one server, which is asked as it is. dns:///NAME:PORT, or several addresses (a sequence,
        or separated by commas): calls take turns over those servers that say they are ready (grpc.health.v1); one that
        ends is left out, what it did not answer goes to another, and one that comes back is used again. Default: the
        environment's NUMBATCH_SERVER, else 127.0.0.1:8001.
    timeout : float
        Seconds that a call may take, unless it says otherwise; more than 0, at most a day.
    max_message_bytes : int
        The limit of a message, both ways. The server has its own.
    tls : bool or Tls, optional
        True: TLS, trusting the authorities of the web; a `Tls` says more. Default: as the environment says, by
        NUMBATCH_TLS=1, NUMBATCH_ROOT_CERTIFICATES, NUMBATCH_CERTIFICATE and NUMBATCH_PRIVATE_KEY (paths of PEM files),
        else plaintext.
    token : str or callable, optional
        Sent with every call, as "authorization: Bearer". A callable is asked before each call, for a token that
        changes; it must not block. Default: the environment's NUMBATCH_TOKEN; "" for none.
    allow_plaintext_token : bool
        True: send the token without TLS, too, where the server is not on this machine.

    Raises
    ------
    InvalidArgumentError
        INVALID_FIELD, if one of these is out of its range.

    Examples
    --------
    >>> with Client() as client:                                            # doctest: +SKIP
    ...     probabilities = client.infer("digits", images)
    ...     hidden = client.infer("digits", images, layers=["hidden_1"])["hidden_1"]
    ...     for probabilities in client.stream("digits", minibatches):
    ...         ...
    """

    @overload
    def infer(
        self,
        model: str,
        x: Inputs,
        *,
        layers: None = None,
        version: int = 0,
        timeout: float | None = None,
        request_id: str = "",
        priority: str = "normal",
    ) -> Array: ...

    @overload
    def infer(
        self,
        model: str,
        x: Inputs,
        *,
        layers: Sequence[str],
        version: int = 0,
        timeout: float | None = None,
        request_id: str = "",
        priority: str = "normal",
    ) -> dict[str, Array]: ...

    def infer(
        self,
        model: str,
        x: Inputs,
        *,
        layers: Sequence[str] | None = None,
        version: int = 0,
        timeout: float | None = None,
        request_id: str = "",
        priority: str = "normal",
    ) -> Outputs:
        """Run a model over one minibatch.

        Parameters
        ----------
        model : str
            The model's name.
        x : array_like, or mapping of str to array_like
            The input, or each input by its name: any number of batch axes, also none, then the axes of the input.
            Anything that NumPy takes; it is sent as float32.
        layers : sequence of str, optional
            The layers whose outputs are wanted; of an empty one, the model's outputs. Default: its only output.
        version : int
            The version. 0: the newest that is ready.
        timeout : float, optional
            Seconds to wait. Default: the client's.
        request_id : str
            Stands in errors and in the server's log. Default: a new one.
        priority : str
            "high": before the requests that are "normal", where requests wait for each other.

        Returns
        -------
        ndarray of float32, shape (*batch, *output)
            The model's output, without `layers`.
        dict of str to ndarray of float32
            The outputs by layer, in the order of `layers`. Arrays are the caller's own, and can be written to.

        Raises
        ------
        InvalidArgumentError
            The input or a layer does not fit the model; `reason` and `field` say how. Before anything is sent, where
            `get_metadata` has told the client what fits.
        MessageTooLargeError
            The request, refused before it is sent, or the answer is over the limit.
        NotFoundError
            The server has no such model or version.
        DeadlineExceededError
            No answer in time.
        UnavailableError
            The server cannot be reached, or the model is not ready.
        OverloadedError
            The server refused work to protect itself; `retry_delay_s` says when to try again, which is left to the
            caller: a client that repeats by itself what a server has no room for makes it worse.
        """
        call = self._session.call(
            model, version, timeout=timeout, request_id=request_id or self._session.next_request_id()
        )
        with errors_of(call):
            question = Question(checked_layers(layers), checked_priority(priority))
            expected, request = self._encode(call, x, question, streamed=False)
            return expected.read(self._call(self._stub.infer, request, call))

    @overload
    def stream(
        self,
        model: str,
        minibatches: Iterable[Inputs],
        *,
        window: int = 8,
        layers: None = None,
        version: int = 0,
        timeout: float | None = None,
        priority: str = "normal",
        reconnect: bool = True,
        return_exceptions: Literal[False] = False,
    ) -> Generator[Array, None, None]: ...

    @overload
    def stream(
        self,
        model: str,
        minibatches: Iterable[Inputs],
        *,
        window: int = 8,
        layers: Sequence[str],
        version: int = 0,
        timeout: float | None = None,
        priority: str = "normal",
        reconnect: bool = True,
        return_exceptions: Literal[False] = False,
    ) -> Generator[dict[str, Array], None, None]: ...

    @overload
    def stream(
        self,
        model: str,
        minibatches: Iterable[Inputs],
        *,
        window: int = 8,
        layers: None = None,
        version: int = 0,
        timeout: float | None = None,
        priority: str = "normal",
        reconnect: bool = True,
        return_exceptions: bool,
    ) -> Generator[Array | NumbatchError, None, None]: ...

    @overload
    def stream(
        self,
        model: str,
        minibatches: Iterable[Inputs],
        *,
        window: int = 8,
        layers: Sequence[str],
        version: int = 0,
        timeout: float | None = None,
        priority: str = "normal",
        reconnect: bool = True,
        return_exceptions: bool,
    ) -> Generator[dict[str, Array] | NumbatchError, None, None]: ...

    def stream(
        self,
        model: str,
        minibatches: Iterable[Inputs],
        *,
        window: int = 8,
        layers: Sequence[str] | None = None,
        version: int = 0,
        timeout: float | None = None,
        priority: str = "normal",
        reconnect: bool = True,
        return_exceptions: bool = False,
    ) -> Generator[Any, None, None]:
        """Run a model over many minibatches on one stream, and give one result for each, in their order.

        Minibatches are taken while fewer than `window` are unanswered, so a long or endless source costs no memory, and
        the server computes while the caller reads. They may differ in their number of rows.

        Parameters
        ----------
        model : str
            The model's name.
        minibatches : iterable
            Each as `x` of `infer`. It is advanced beside the caller: by Client in another thread, by AsyncClient, which
            takes asynchronous iterables too, in another task (where a plain one must not block). What it raises ends
            the stream, after the results before.
        window : int
            At most so many minibatches are unanswered; 1 or more.
        layers : sequence of str, optional
            As for `infer`.
        version : int
            The version. 0: the newest that is ready.
        timeout : float, optional
            Seconds to wait for each answer. Default: the client's.
        priority : str
            As for `infer`.
        reconnect : bool
            True: where the stream breaks, because its server ends or the connection is lost, another takes over, on
            another server if there is one, and what is unanswered is sent again. Each minibatch has one result all the
            same, at its place. Where no server comes back in about 8 seconds, or in `timeout`, the stream ends with
            UnavailableError. False: so it ends at once.
        return_exceptions : bool
            False: the error of a minibatch is raised at its place, which ends the stream. True: it is given there as a
            result, and the stream goes on. Errors of the stream itself are always raised.

        Returns
        -------
        generator
            Of what `infer` returns. Leaving the loop over it cancels the stream; so does its `close` (or `aclose`).

        Raises
        ------
        InvalidArgumentError
            INVALID_FIELD, at once, for an argument out of its range. Then, on iteration, what `infer` raises.
        """
        call = self._session.call(model, version, timeout=timeout)
        with errors_of(call):
            plan = Plan(call, window, return_exceptions, reconnect)
            question = Question(checked_layers(layers), checked_priority(priority))
        self._check_open()

        def encode(x: Inputs) -> tuple[Expected, bytes]:
            item = replace(call, request_id=self._session.next_request_id())
            with errors_of(item):
                return self._encode(item, x, question, streamed=True)

        return stream_answers(self._open_stream, iter(minibatches), encode, plan)

    def _encode(self, call: CallDetails, x: Inputs, question: Question, *, streamed: bool) -> tuple[Expected, bytes]:
        minibatch = Minibatch.of(call, x, question)
        signature = self._session.signature(call)
        if signature is not None and minibatch.problem(signature):
            # The model may have been replaced since it was looked at: ask before refusing.
            request = GetModelRequest(model_name=call.model, model_version=call.version)
            signature = self._session.learn(call, self._call(self._stub.get_model, request, call))
            problem = minibatch.problem(signature)
            if problem is not None:
                raise problem
        encode = minibatch.stream_request_bytes if streamed else minibatch.request_bytes
        return Expected(call, question.layers), encode(self._session.settings.max_message_bytes)
