"""`numbatch health`: the exit code is the answer."""

import json

import pytest

from numbatch.v1.model_pb2 import Model
from support.command import NO_SERVER, numbatch
from support.server import running_server


@pytest.mark.parametrize("model", [[], ["double"], ["double/1"]])
def test_ready_is_0(server: str, model: list[str]) -> None:
    outcome = numbatch("health", *model, "--server", server)
    subject = f"model {model[0]} on" if model else "server"
    assert (outcome.code, outcome.out, outcome.err) == (0, f"{subject} {server}: ready\n", "")


@pytest.mark.parametrize("model", ["nobody", "double/2"])
def test_no_such_model_is_1(server: str, model: str) -> None:
    outcome = numbatch("health", model, "--server", server)
    reason = "the server has no such model or version"
    assert (outcome.code, outcome.out) == (1, f"model {model} on {server}: not ready: {reason}\n")


def test_a_model_that_failed_is_1_with_its_reason() -> None:
    with running_server([Model(name="broken")]) as running:
        outcome = numbatch("health", "broken", "--server", running.address)
        assert (outcome.code, outcome.err) == (1, "")
        assert (
            f"model broken on {running.address}: not ready: version 1 failed: MODEL_INVALID: model.inputs"
            in outcome.out
        )


def test_a_server_that_still_loads_is_1() -> None:
    with running_server(loaded=False) as running:
        outcome = numbatch("health", "--server", running.address)
        assert (outcome.code, outcome.out.startswith(f"server {running.address}: not ready: it is loading")) == (
            1,
            True,
        )


def test_no_answer_is_4() -> None:
    outcome = numbatch("health", "--server", NO_SERVER)
    assert outcome.code == 4
    assert outcome.out.startswith(f"server {NO_SERVER}: no answer: no connection to {NO_SERVER}")


@pytest.mark.parametrize(
    ("model", "ready", "answer", "reason"),
    [("double", True, "ready", ""), ("nobody", False, "not ready", "the server has no such model or version")],
)
def test_json_says_the_same(server: str, model: str, ready: bool, answer: str, reason: str) -> None:
    outcome = numbatch("health", model, "--server", server, "--json")
    expected = {"server": server, "model": model, "ready": ready, "answer": answer, "reason": reason}
    assert json.loads(outcome.out) == expected


def test_json_says_that_there_is_no_answer() -> None:
    answer = json.loads(numbatch("health", "--server", NO_SERVER, "--json").out)
    assert (answer["model"], answer["ready"], answer["answer"]) == (None, False, "no answer")
