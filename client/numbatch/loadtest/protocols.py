"""The protocols that load tests speak, by the names that people give."""

from importlib import import_module

from numbatch.loadtest.protocol import Protocol
from numbatch.loadtest.protocol_native import Native
from numbatch.loadtest.protocol_oip import OpenInference

PROTOCOLS: dict[str, Protocol] = {"native": Native(), "oip": OpenInference()}


def protocol_named(name: str) -> Protocol:
    """Return a protocol by its name, or somebody's own as MODULE:NAME.

    Raises
    ------
    ValueError
        There is none of that name.
    """
    if name in PROTOCOLS:
        return PROTOCOLS[name]
    module, colon, attribute = name.partition(":")
    try:
        if not colon:
            raise ValueError("there is no such protocol")
        found: Protocol = getattr(import_module(module), attribute)
    except (ValueError, ImportError, AttributeError) as missing:
        expected = f"{', '.join(PROTOCOLS)}, or MODULE:NAME"
        raise ValueError(f"protocol: got {name!r}, expected one of {expected}: {missing}") from missing
    return found
