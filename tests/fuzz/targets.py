"""What is fuzzed, by name: each opens what it needs, and gives a function of a message."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from fuzz.oip_grpc import oip_grpc
from fuzz.run import Target

TARGETS: dict[str, Callable[[], AbstractContextManager[Target]]] = {"oip_grpc": oip_grpc}
