"""The arguments that a container is given, as `numbatch serve` understands them."""

from collections.abc import Sequence

from numbatch.cli.serve import serve
from numbatch.serving.config import ServerConfig


def configuration(arguments: Sequence[str]) -> ServerConfig:
    """Return what a server is told by the arguments of a container; they begin with `serve`."""
    command, *options = arguments
    assert command == "serve"
    context = serve.make_context("serve", list(options))
    return ServerConfig(**{name: value for name, value in context.params.items() if name != "json_wanted"})
