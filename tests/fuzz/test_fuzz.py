"""A short run of what `make fuzz` does for longer; and that a run finds what it is for."""

import pytest

from fuzz.__main__ import corpus
from fuzz.fields import read, write
from fuzz.run import run
from fuzz.targets import REARRANGED, TARGETS

MESSAGES = [b"\x0a\x04tiny", b"\x10\x01\x0a\x01x"]


@pytest.mark.parametrize("name", TARGETS)
def test_a_short_run_finds_nothing(name: str) -> None:
    with TARGETS[name]() as target:
        outcome = run(target, corpus(name), count=4000, seed=1, rearrange=REARRANGED[name])
    assert outcome.findings == []
    assert outcome.words.total() == 4000
    assert outcome.words["answered"] > 100


@pytest.mark.parametrize("name", TARGETS)
def test_what_is_in_a_corpus_is_answered_as_it_is(name: str) -> None:
    with TARGETS[name]() as target:
        words = [target(data) for data in corpus(name)]
    assert words.count("answered") > len(words) / 2


def test_what_raises_is_found_with_its_message() -> None:
    def target(data: bytes) -> str:
        if len(data) == 5:
            raise ZeroDivisionError("a bug")
        return "well"

    outcome = run(target, MESSAGES, count=1000, seed=1)
    assert {(finding.problem.partition(": ")[2], len(finding.data or b"")) for finding in outcome.findings} == {
        ("ZeroDivisionError: a bug", 5)
    }


def test_what_takes_too_long_is_found() -> None:
    outcome = run(Kept(), MESSAGES, count=5, seed=1, slow_s=0)  # whatever it takes is too long
    assert ["took" in finding.problem for finding in outcome.findings] == [True] * 5


def test_what_leaks_is_found() -> None:
    kept = Kept()
    (finding,) = run(lambda data: kept(bytes(100)), MESSAGES, count=5000, seed=1).findings
    assert finding.problem.startswith("it leaks: ")


def test_the_same_seed_gives_the_same_messages() -> None:
    first, second = Kept(), Kept()
    run(first, MESSAGES, count=200, seed=7)
    run(second, MESSAGES, count=200, seed=7)
    assert first.messages == second.messages
    assert len(set(first.messages)) > 100


class Kept:
    """A target that keeps what it is given."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []

    def __call__(self, data: bytes) -> str:
        self.messages.append(data)
        return "well"


def test_a_message_that_was_taken_apart_is_put_together_again() -> None:
    for data in corpus("oip_grpc"):
        fields = read(data)
        assert fields is None or read(write(fields)) == fields
