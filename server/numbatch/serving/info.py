"""What is told of a server that is ready."""

from dataclasses import dataclass

from numbatch.v1.repository_pb2 import ModelStatus


@dataclass(frozen=True)
class ServerInfo:
    """Describes a server that is ready.

    Attributes
    ----------
    address : str
        "host:port", with the port that it is.
    models : tuple of ModelStatus
        All versions, those that failed to load too.
    http_address : str
        The same for HTTP; "" where it does not listen for that.
    """

    address: str
    models: tuple[ModelStatus, ...]
    http_address: str = ""
