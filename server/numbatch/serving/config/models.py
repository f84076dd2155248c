"""Options: which models are served, and how they are kept."""

from dataclasses import dataclass
from pathlib import Path

from numbatch.repository.single import SingleModel, parse_single_model
from numbatch.serving.config.options import Options, option
from numbatch.wire.errors import error
from numbatch.wire.precision import WEIGHTS_PRECISIONS
from numbatch.wire.reasons import Reason


@dataclass(frozen=True, kw_only=True)
class ModelOptions(Options):
    """Which models are served, and how they are kept."""

    model_repository: Path | None = option(
        None,
        "The folder to load models from, DIR/NAME/VERSION/model.binpb. Without it the server starts empty, and models "
        "are loaded from messages.",
        metavar="DIR",
    )
    model: str = option(
        "",
        "The one model to serve, in place of a repository: its name, and its folder, with folders of versions in it or "
        "one model.binpb.",
        metavar="NAME=DIR",
        check=parse_single_model,
    )
    weights_precision: str = option(
        "f32",
        "How the weights of models from the repository are kept. bf16 rounds them, for half the memory; "
        "`numbatch model compare` shows what that does to a model's outputs.",
        choices=WEIGHTS_PRECISIONS,
    )

    def __post_init__(self) -> None:
        """Check every field, and that models come from one place."""
        super().__post_init__()
        if self.model and self.model_repository is not None:
            expected = "one of model and model_repository"
            raise error(Reason.INVALID_FIELD, field="model", got=repr(self.model), expected=expected)

    @property
    def models_on_disk(self) -> Path | SingleModel | None:
        """What models are loaded from when the server starts: a repository, one model, or nothing."""
        return parse_single_model(self.model) if self.model else self.model_repository

    @property
    def models_folder(self) -> Path | None:
        """The folder that they are in."""
        source = self.models_on_disk
        return source.folder if isinstance(source, SingleModel) else source
