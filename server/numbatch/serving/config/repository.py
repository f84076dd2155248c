"""Options: which versions are loaded, when, and how much memory they may take."""

from dataclasses import dataclass

from numbatch.repository.policy import parse_policy
from numbatch.serving.config.options import Options, option
from numbatch.wire.errors import error
from numbatch.wire.names import is_model_name
from numbatch.wire.reasons import Reason

ALL_MODELS = "*"


def model_names(text: str, field: str = "load_model") -> frozenset[str] | None:
    """Return the models of a comma-separated list; None for all.

    Raises
    ------
    InvalidArgumentError
        INVALID_FIELD.
    """
    if text == ALL_MODELS:
        return None
    names = text.split(",") if text else []
    if not all(map(is_model_name, names)):
        raise error(Reason.INVALID_FIELD, field=field, got=repr(text), expected=f"NAME,NAME or {ALL_MODELS}")
    return frozenset(names)


@dataclass(frozen=True, kw_only=True)
class RepositoryOptions(Options):
    """Which versions are loaded, when, and how much memory they may take."""

    model_control: str = option(
        "none",
        "What makes the server load models, beside requests to do so. none: its start, once. poll: its start, and "
        "every change on disk. explicit: nothing but --load-model.",
        choices=("none", "poll", "explicit"),
    )
    poll_interval_s: float = option(
        2.0,
        "With --model-control poll: how often to look at the disk. A model is loaded once it has not changed from one "
        "look to the next.",
        metavar="SECONDS",
        least=0.05,
        most=86400,
    )
    load_model: str = option(
        "",
        "With --model-control explicit: the models to load at the start. * is all.",
        metavar="NAME,NAME",
        check=model_names,
    )
    version_policy: str = option(
        "latest:1",
        "Which versions of a model are served, where its settings.txtpb does not say: latest:N, the newest ones that "
        "can be loaded; all; or specific:N,N.",
        metavar="POLICY",
        check=parse_policy,
    )
    load_retries: int = option(
        3,
        "How often a load is tried again that failed for the disk, or for files that changed while they were read.",
        least=0,
        most=1000,
    )
    load_retry_delay_s: float = option(
        1.0,
        "How long to wait before each of these tries.",
        metavar="SECONDS",
        least=0,
        most=3600,
    )
    max_model_memory_bytes: int | None = option(
        None,
        "What all models may take together, those included that are being loaded; one that would take more is refused. "
        "Without it: the memory of the container, or else of the machine, less a fifth, or 192 MiB if that is more. "
        "0: no limit.",
        least=0,
    )
