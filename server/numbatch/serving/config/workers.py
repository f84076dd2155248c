"""Options: the processes that are the server."""

from dataclasses import dataclass
from pathlib import Path

from numbatch.serving.config.options import Options, option

MOST_WORKERS = 256


@dataclass(frozen=True, kw_only=True)
class WorkerOptions(Options):
    """The processes that are the server."""

    workers: int = option(
        1,
        "How many processes serve. They share the port and the memory of the weights, and one that ends is started "
        "again. 0: as many as there are processors for the process. A client's connection is served by one of them.",
        least=0,
        most=MOST_WORKERS,
    )
    runtime_directory: Path | None = option(
        None,
        "Where several workers make the folder for the weights that they share, about as large as the models. Without "
        "it: /dev/shm if there is room for them, else the folder for temporary files.",
        metavar="DIR",
    )
