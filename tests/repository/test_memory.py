"""What models hold is counted, and one too many is refused."""

import gc
from pathlib import Path

import pytest

from numbatch.engine import Footprint
from numbatch.repository.memory import MemoryAccount, default_limit_bytes
from numbatch.wire.errors import OverloadedError
from numbatch.wire.reasons import Reason

MIB = 2**20


class Thing:
    """Anything that can be held."""


def test_what_is_held_counts_until_nothing_refers_to_it() -> None:
    account = MemoryAccount(1000)
    served, requested = Thing(), Thing()
    account.hold(served, 300)
    account.hold(requested, 200)
    assert (account.held_bytes, account.room_bytes) == (500, 500)
    last_request = served
    del served, requested
    gc.collect()
    assert account.held_bytes == 300
    del last_request
    gc.collect()
    assert account.held_bytes == 0


def test_what_is_being_loaded_counts_with_all_that_it_takes_for_a_while() -> None:
    account = MemoryAccount(1000)
    with account.reserved(Footprint(300, 400)):
        assert account.room_bytes == 300
        with pytest.raises(OverloadedError), account.reserved(Footprint(301, 0)):
            pass
        with account.reserved(Footprint(300, 0)):
            assert account.room_bytes == 0
    assert account.room_bytes == 1000


def test_a_load_that_fails_gives_back_what_was_set_aside() -> None:
    account = MemoryAccount(1000)
    with pytest.raises(ZeroDivisionError), account.reserved(Footprint(900, 0)):
        raise ZeroDivisionError
    assert account.room_bytes == 1000


def test_a_refusal_says_how_much_there_is_and_what_to_do() -> None:
    account = MemoryAccount(1000)
    thing = Thing()
    account.hold(thing, 600)
    with pytest.raises(OverloadedError) as refused, account.reserved(Footprint(300, 200)):
        pass
    assert (refused.value.reason, refused.value.field) == (Reason.MEMORY_LIMIT, "max_model_memory_bytes")
    assert refused.value.message == (
        "max_model_memory_bytes: too little memory for the model: got a model that takes 500 bytes while it is loaded, "
        "expected at most 400 of 1000, as 600 are held; unload a model, load it with weights_precision bf16, or raise "
        "the limit if there is memory"
    )


def test_without_a_limit_everything_is_counted_and_nothing_refused() -> None:
    account = MemoryAccount()
    with account.reserved(Footprint(2**60, 0)):
        assert account.room_bytes is None


@pytest.mark.parametrize(
    ("files", "physical_mib", "expected_mib"),
    [
        ({"memory.max": "max\n"}, 10_000, 8000),  # a fifth is left to the rest
        ({}, 10_000, 8000),
        ({"memory.max": f"{1000 * MIB}\n"}, 10_000, 800),  # the container has less than the machine
        ({"memory.max": f"{20_000 * MIB}\n"}, 10_000, 8000),  # or claims more than there is
        ({"memory.max": f"{512 * MIB}\n"}, 10_000, 320),  # at least 192 MiB are left
        ({"memory.max": f"{256 * MIB}\n"}, 10_000, 128),  # and at most half
        ({"memory/memory.limit_in_bytes": f"{1000 * MIB}\n"}, 10_000, 800),  # cgroup v1
        ({"memory/memory.limit_in_bytes": "9223372036854771712\n"}, 10_000, 8000),  # no limit, as v1 writes it
        ({}, 0, None),
    ],
)
def test_the_limit_follows_from_what_there_is(
    tmp_path: Path, files: dict[str, str], physical_mib: int, expected_mib: int | None
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    meminfo = tmp_path / "meminfo"
    if physical_mib:
        meminfo.write_text(f"MemTotal:       {physical_mib * 1024} kB\nMemFree:  1 kB\n")
    assert default_limit_bytes(tmp_path, meminfo) == (None if expected_mib is None else expected_mib * MIB)
