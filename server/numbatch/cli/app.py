"""The tree of commands, and its help."""

from collections.abc import Sequence
from importlib.metadata import version

import click

from numbatch.cli.exits import MEANINGS, CommandError, ExitCode, ReaderGone
from numbatch.cli.lazy import LazyCommand, LazyGroup

COMMANDS = {
    "serve": LazyCommand("numbatch.cli.serve", "serve", "Serve a model repository over gRPC."),
    "infer": LazyCommand("numbatch.cli.infer", "infer", "Run a model over the rows of a file."),
    "health": LazyCommand("numbatch.cli.health", "health", "Ask whether a server is ready, or a model on it."),
    "top": LazyCommand("numbatch.cli.top", "top", "Watch a server: rates, latency, queues, batches, models."),
    "loadtest": LazyCommand("numbatch.cli.loadtest_group", "loadtest", "Measure a server under load."),
    "model": LazyCommand("numbatch.cli.app", "model", "Make, import, export, inspect, compare and validate models."),
    "warmup": LazyCommand("numbatch.cli.warmup", "warmup", "Compile the kernels and keep them, for a container image."),
    "demo": LazyCommand("numbatch.cli.demo", "demo", "See it work: a server, a trained model, 360 images."),
}

MODEL_COMMANDS = {
    "new": LazyCommand("numbatch.cli.model_new", "new", "Make a network with random weights."),
    "import": LazyCommand(
        "numbatch.cli.model_import", "import_", "Make a model of one of Keras, PyTorch, scikit-learn or ONNX."
    ),
    "export": LazyCommand("numbatch.cli.model_export", "export", "Write a model as ONNX or Keras."),
    "inspect": LazyCommand("numbatch.cli.model_inspect", "inspect", "Show the layers, shapes and sizes of a model."),
    "compare": LazyCommand(
        "numbatch.cli.model_compare", "compare", "Compare a model with itself in bf16, or with another."
    ),
    "validate": LazyCommand("numbatch.cli.model_validate", "validate", "Check models as a server does when it loads."),
}

ENVIRONMENT = {
    "NUMBATCH_SERVER": "The server that commands talk to where --server is not given.",
    "NUMBATCH_HTTP": "Where the server that `numbatch top` watches answers HTTP.",
    "NUMBATCH_CACHE_DIR": "Where compiled kernels are kept. [default: XDG_CACHE_HOME/numbatch, ~/.cache/numbatch]",
    "NUMBATCH_CPU_LEVEL": "What kernels are compiled for. auto: the highest level of x86-64 that this processor has; "
    "x86-64-v4, -v3, -v2: that one. [default: host, this very processor]",
}


class _Root(LazyGroup):
    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(int(code)), meaning) for code, meaning in MEANINGS.items()])
        with formatter.section("Environment"):
            formatter.write_dl(list(ENVIRONMENT.items()))

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except BrokenPipeError as gone:
            raise ReaderGone from gone  # before click makes an exit code of its own of it


@click.group(cls=_Root, lazy_commands=COMMANDS)
@click.version_option(version("numbatch"), message="numbatch %(version)s")
def root() -> None:
    """Batch inference for dense networks on CPUs.

    \b
    Start here:
      numbatch demo
      numbatch serve --model-repository models
      numbatch infer digits images.npy --layers hidden_1,probabilities
      numbatch model import tower.keras --output models

    Each command explains itself with --help.
    """  # noqa: D301 - click's mark for a paragraph that keeps its lines


@click.group(cls=LazyGroup, lazy_commands=MODEL_COMMANDS)
def model() -> None:
    """Make, import, export, inspect, compare and validate models on disk.

    A model repository is a folder of models: REPOSITORY/NAME/VERSION/model.binpb, or model.txtpb for people who write
    by hand, with large weights beside it in weights.safetensors.
    """


def run(arguments: Sequence[str]) -> ExitCode:
    """Run a command line.

    Raises
    ------
    CommandError
        For a wrong command line, with the text of the problem and where to read more.
    Exception
        Whatever the command raised.
    """
    try:
        result = root.main(list(arguments), prog_name="numbatch", standalone_mode=False)
    except click.UsageError as wrong:
        path = wrong.ctx.command_path if wrong.ctx else "numbatch"
        problem = wrong.format_message().rstrip(".")
        raise CommandError(f"{problem}; see '{path} --help'", ExitCode.USAGE) from wrong
    except click.Abort as interrupted:
        raise KeyboardInterrupt from interrupted
    return ExitCode(result or 0)
