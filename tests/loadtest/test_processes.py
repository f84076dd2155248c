"""Generator processes: what becomes of them, and of those who wait for them."""

import subprocess
import sys

import pytest

from numbatch.loadtest.errors import GeneratorError
from numbatch.loadtest.orders import Connection, Order, decode, encode
from numbatch.loadtest.processes import GeneratorProcesses


def test_orders_survive_the_way() -> None:
    order = Order(scenario="open", start_s=1.5, rate=3.0, duration_s=None, count=7)
    assert decode(encode("order", order)) == ("order", vars(order))


def test_a_process_ends_with_its_standard_input() -> None:
    command = [sys.executable, "-m", "numbatch.loadtest.process"]
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=30)
    assert (ended.returncode, ended.stdout) == (0, b"")


def test_a_process_that_dies_says_why() -> None:
    with GeneratorProcesses(1) as processes, pytest.raises(GeneratorError) as told:
        processes.connect(Connection(server="127.0.0.1:1", protocol="native", library="/nowhere", connections=1))
    assert "/nowhere" in str(told.value)
