"""Tokens and scopes: who may infer, who may control models, and who learns why not."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from numbatch.serving.config import ServerConfig
from numbatch.serving.security.access import Scope, access_for
from numbatch.wire.errors import InvalidArgumentError, NumbatchError
from numbatch.wire.reasons import Code, Reason
from support.logs import logged
from support.raw_calls import RawCalls, error_of, raw_calls, read_streamed, refusal, stream_request
from support.server import running_server
from support.tiny import tiny_model

INFERENCE, CONTROL, UNKNOWN = "inference-token", "control-token", "token-of-nobody"

Call = Callable[[RawCalls], object]

INFERENCE_CALLS: dict[str, Call] = {
    "Infer": lambda calls: calls.infer("tiny", [1, 1]),
    "ListModels": lambda calls: calls.list_models(),
    "GetModel": lambda calls: calls.get_model("tiny"),
}
CONTROL_CALLS: dict[str, Call] = {
    "LoadModel": lambda calls: calls.load_model(model=tiny_model("loaded")),
    "GetModel with weights": lambda calls: calls.get_model("tiny", include_weights=True),
    "UnloadModel": lambda calls: calls.unload_model("loaded"),
}
OPEN_CALLS: dict[str, Call] = {
    "Health/Check": lambda calls: calls.health(),
    "Reflection": lambda calls: list(
        calls.channel.stream_stream("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")(iter(()))
    ),
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("tokens")
    inference, control = folder / "inference.txt", folder / "control.txt"
    inference.write_text(f"# of the web shop\n\n{INFERENCE}  # until spring\n")
    control.write_text(CONTROL)
    return {"inference_tokens_file": inference, "control_tokens_file": control}


@pytest.fixture(scope="module")
def guarded(files: dict[str, Any]) -> Iterator[RawCalls]:
    with running_server([tiny_model()], **files) as server, raw_calls(server.address) as calls:
        yield calls


@pytest.mark.parametrize("call", INFERENCE_CALLS.values(), ids=INFERENCE_CALLS)
def test_inference_takes_a_token_of_either_scope(guarded: RawCalls, call: Call) -> None:
    for token in (INFERENCE, CONTROL):
        call(guarded.with_token(token))
    for stranger in (guarded, guarded.with_token(UNKNOWN)):
        refused = refusal(lambda calls=stranger: call(calls))  # type: ignore[misc]
        assert (refused.reason, refused.code) == (Reason.UNAUTHENTICATED, Code.UNAUTHENTICATED)


@pytest.mark.parametrize("call", CONTROL_CALLS.values(), ids=CONTROL_CALLS)
def test_control_takes_a_control_token(guarded: RawCalls, call: Call) -> None:
    for stranger in (guarded, guarded.with_token(UNKNOWN)):
        refused = refusal(lambda calls=stranger: call(calls))  # type: ignore[misc]
        assert (refused.reason, refused.code) == (Reason.UNAUTHENTICATED, Code.UNAUTHENTICATED)
    refused = refusal(lambda: call(guarded.with_token(INFERENCE)))
    assert (refused.reason, refused.code) == (Reason.PERMISSION_DENIED, Code.PERMISSION_DENIED)
    assert refused.message == "this token is for inference only: expected a token for repository control"
    call(guarded.with_token(CONTROL))


@pytest.mark.parametrize("call", OPEN_CALLS.values(), ids=OPEN_CALLS)
def test_probes_and_tools_need_no_token(guarded: RawCalls, call: Call) -> None:
    call(guarded)


def test_a_stream_is_refused_before_anything_of_it_is_read(guarded: RawCalls) -> None:
    request = stream_request("tiny", [1, 1])
    with pytest.raises(grpc.RpcError) as refused:
        list(guarded.stream([request]))
    assert error_of(refused.value).reason is Reason.UNAUTHENTICATED
    (answer,) = guarded.with_token(INFERENCE).stream([request])
    assert not isinstance(read_streamed(answer)[1], NumbatchError)


@pytest.mark.parametrize(
    ("authorization", "is_known"),
    [
        (f"Bearer {INFERENCE}", True),
        (f"bearer {INFERENCE}", True),  # schemes have no case
        (f"Bearer  {INFERENCE} ", True),
        (INFERENCE, False),  # no scheme
        (f"Basic {INFERENCE}", False),
        (f"Bearer {INFERENCE.upper()}", False),
        (f"Bearer {INFERENCE[:-1]}", False),
        (f"Bearer {INFERENCE} {INFERENCE}", False),
        ("Bearer", False),
        ("Bearer \udcff", False),
        ("", False),
        (None, False),
    ],
)
def test_what_a_bearer_token_looks_like(files: dict[str, Any], authorization: str | None, is_known: bool) -> None:
    check = access_for(ServerConfig(**files), {}).check_for(Scope.INFERENCE)
    assert check is not None
    if is_known:
        check(authorization)
        return
    with pytest.raises(NumbatchError) as refused:
        check(authorization)
    assert refused.value.reason is Reason.UNAUTHENTICATED
    assert INFERENCE not in str(refused.value)
    assert INFERENCE.upper() not in str(refused.value)


OPEN, TOKEN, CONTROL_TOKEN, NOBODY = "open", "any token", "control token", "nobody"
LOOPBACK, EVERYWHERE = "127.0.0.1:0", "0.0.0.0:0"


@pytest.mark.parametrize(
    ("listen", "option", "tokens", "inference", "control"),
    [
        # Without tokens, what can be reached from elsewhere is not to be controlled.
        (LOOPBACK, "auto", "", OPEN, OPEN),
        ("localhost:0", "auto", "", OPEN, OPEN),
        ("[::1]:0", "auto", "", OPEN, OPEN),
        ("unix:/run/numbatch.sock", "auto", "", OPEN, OPEN),
        (EVERYWHERE, "auto", "", OPEN, NOBODY),
        ("[::]:0", "auto", "", OPEN, NOBODY),
        ("model-server:8001", "auto", "", OPEN, NOBODY),
        # Control tokens switch control on, wherever.
        (EVERYWHERE, "auto", "control", OPEN, CONTROL_TOKEN),
        (EVERYWHERE, "auto", "inference control", TOKEN, CONTROL_TOKEN),
        # Who may not even infer may not control.
        (LOOPBACK, "auto", "inference", TOKEN, NOBODY),
        # The operator's word counts.
        (EVERYWHERE, "on", "", OPEN, OPEN),
        (EVERYWHERE, "on", "inference", TOKEN, TOKEN),
        (EVERYWHERE, "on", "control", OPEN, CONTROL_TOKEN),
        (LOOPBACK, "off", "", OPEN, NOBODY),
        (LOOPBACK, "off", "inference control", TOKEN, NOBODY),
    ],
)
def test_who_may_do_what(listen: str, option: str, tokens: str, inference: str, control: str) -> None:
    sources = {"inference": ("NUMBATCH_INFERENCE_TOKENS", INFERENCE), "control": ("NUMBATCH_CONTROL_TOKENS", CONTROL)}
    environ = dict(sources[scope] for scope in tokens.split())
    access = access_for(ServerConfig(listen=listen, repository_control=option), environ)

    def allowed(scope: Scope, token: str) -> bool:
        check = access.check_for(scope)
        try:
            if check is not None:
                check(f"Bearer {token}" if token else None)
        except NumbatchError:
            return False
        return True

    def who(scope: Scope) -> str:
        if access.check_for(scope) is None:
            return OPEN
        assert not allowed(scope, "")
        assert not allowed(scope, UNKNOWN)
        by_token = {token: allowed(scope, token) for token in (INFERENCE, CONTROL)}
        if by_token[INFERENCE]:
            return TOKEN
        return CONTROL_TOKEN if by_token[CONTROL] else NOBODY

    assert (who(Scope.INFERENCE), who(Scope.CONTROL)) == (inference, control)


def test_control_that_is_off_says_how_to_switch_it_on() -> None:
    with running_server([tiny_model()], repository_control="off") as server, raw_calls(server.address) as calls:
        refused = refusal(lambda: calls.unload_model("tiny"))
        assert (refused.reason, refused.code) == (Reason.PERMISSION_DENIED, Code.PERMISSION_DENIED)
        assert refused.message == (
            "models cannot be controlled over the network on this server; "
            "its operator allows it with --control-tokens-file, or --repository-control on"
        )
        assert calls.infer("tiny", [1, 1])[0][1].tolist() == [2, 2]
        assert calls.get_model("tiny").metadata.layers


def test_tokens_are_read_again_when_their_file_changes(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text(INFERENCE)
    with (
        running_server([tiny_model()], inference_tokens_file=file) as server,
        raw_calls(server.address) as calls,
        logged("numbatch.serving.security.tokens") as log,
    ):
        calls.with_token(INFERENCE).list_models()
        file.write_text("newer-and-longer\n")
        calls.with_token("newer-and-longer").list_models()
        assert log.wait("read tokens") == f"read tokens option=inference_tokens_file file={file} tokens=1"
        assert refusal(calls.with_token(INFERENCE).list_models).reason is Reason.UNAUTHENTICATED
        # A file that is gone, or is no file of tokens, changes nothing, and no secret goes to the log.
        for damage in (file.unlink, lambda: file.write_text("with secret space")):
            damage()
            calls.with_token("newer-and-longer").list_models()
            line = log.wait("the tokens stay as they were: inference_tokens_file: ")
            assert "secret" not in line
        # An empty one lets nobody in.
        file.write_text("")
        assert refusal(calls.with_token("newer-and-longer").list_models).reason is Reason.UNAUTHENTICATED


def test_tokens_from_the_environment_and_from_a_file_count_alike(files: dict[str, Any]) -> None:
    environ = {"NUMBATCH_INFERENCE_TOKENS": "first, second\nthird"}
    config = ServerConfig(inference_tokens_file=files["inference_tokens_file"])
    check = access_for(config, environ).check_for(Scope.INFERENCE)
    assert check is not None
    for token in ("first", "second", "third", INFERENCE):
        check(f"Bearer {token}")


@pytest.mark.parametrize("content", ["one two", "ümlaut", "a\x00b"])
def test_what_cannot_be_a_token_is_refused_at_the_start_without_repeating_it(tmp_path: Path, content: str) -> None:
    file = tmp_path / "tokens"
    file.write_text(f"good\n{content}\n")
    with pytest.raises(InvalidArgumentError, match="no token in line 2") as refused:
        access_for(ServerConfig(control_tokens_file=file), {})
    assert refused.value.field == "control_tokens_file"
    assert content not in str(refused.value)


@pytest.mark.parametrize("empty", ["", " ", ",\n"])
def test_a_list_in_the_environment_that_was_not_filled_in_does_not_open_the_server(empty: str) -> None:
    problem = "the environment variable NUMBATCH_INFERENCE_TOKENS is an empty list of tokens; fill or unset it"
    with pytest.raises(InvalidArgumentError, match=problem):
        access_for(ServerConfig(), {"NUMBATCH_INFERENCE_TOKENS": empty})


def test_what_cannot_be_a_token_in_the_environment_is_counted_out_and_not_repeated() -> None:
    with pytest.raises(InvalidArgumentError) as refused:
        access_for(ServerConfig(), {"NUMBATCH_CONTROL_TOKENS": " good, not;good"})
    assert "no token in the environment variable NUMBATCH_CONTROL_TOKENS, token 2" in refused.value.message
    assert "not;good" not in str(refused.value)


def test_a_file_of_tokens_that_is_missing_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgumentError, match="cannot read tokens: got .*No such file"):
        access_for(ServerConfig(control_tokens_file=tmp_path / "missing"), {})


def test_tokens_in_the_clear_beyond_this_machine_are_warned_of(
    files: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    with running_server(listen="0.0.0.0:0", **files):
        assert "tokens are sent in the clear" in caplog.text
    caplog.clear()
    with running_server(listen="127.0.0.1:0", **files):
        assert "in the clear" not in caplog.text
