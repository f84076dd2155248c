"""What is fuzzed, by name: each opens what it needs, and gives a function of a message."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from fuzz import fields, json_values
from fuzz.oip_grpc import oip_grpc
from fuzz.oip_http import oip_http
from fuzz.run import Rearrange, Target

TARGETS: dict[str, Callable[[], AbstractContextManager[Target]]] = {"oip_grpc": oip_grpc, "oip_http": oip_http}

# What damages the parts of a target's messages, and not their bytes.
REARRANGED: dict[str, Rearrange] = {"oip_grpc": fields.rearranged, "oip_http": json_values.rearranged}
