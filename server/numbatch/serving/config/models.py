"""Options: which models are served, and how they are kept."""

from dataclasses import dataclass
from pathlib import Path

from numbatch.serving.config.options import Options, option
from numbatch.wire.precision import WEIGHTS_PRECISIONS


@dataclass(frozen=True, kw_only=True)
class ModelOptions(Options):
    """Which models are served, and how they are kept."""

    model_repository: Path | None = option(
        None,
        "The folder to load models from, DIR/NAME/VERSION/model.binpb. Without it the server starts empty, and models "
        "are loaded from messages.",
        metavar="DIR",
    )
    weights_precision: str = option(
        "f32",
        "How the weights of models from the repository are kept. bf16 rounds them, for half the memory; "
        "`numbatch model compare` shows what that does to a model's outputs.",
        choices=WEIGHTS_PRECISIONS,
    )
