"""A worker: a server that has a supervisor. ``python -m numbatch.serving.workers.worker FD`` is how it is started.

It listens only when its models are loaded, so that a connection to the port always meets a worker that is ready.
"""

import asyncio
import ctypes
import logging
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from numbatch.engine.shared import SharedModels
from numbatch.serving.app import new_event_loop, run_until_stopped, use_processors
from numbatch.serving.config import ServerConfig
from numbatch.serving.control import LocalControl
from numbatch.serving.logs import configure_logs, number_log_lines
from numbatch.serving.server import Server
from numbatch.serving.workers.changes import Change
from numbatch.serving.workers.channel import Channel
from numbatch.serving.workers.control import WorkerControl
from numbatch.serving.workers.handover import config_from_json
from numbatch.serving.workers.link import Link
from numbatch.serving.workers.runtime_directory import RuntimeDirectory
from numbatch.wire.errors import NumbatchError

_log = logging.getLogger(__name__)

_PR_SET_PDEATHSIG = 1
_EX_SOFTWARE = 70


def main() -> None:
    """Be a worker until the supervisor says that it is to end, or ends."""
    end_with_parent()
    # Ctrl-C is for the supervisor, which then stops its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end = socket.socket(fileno=int(sys.argv[1]))
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        sys.exit(runner.run(_work(end)))


def end_with_parent() -> None:
    """Let the system kill this process when its parent ends. Elsewhere than on Linux, the channel's end does it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


async def _work(end: socket.socket) -> int:
    channel = await Channel.open(end)
    order = await channel.receive()
    if order is None:  # the supervisor ended before this process had asked to end with it
        return 1
    config = config_from_json(order["config"])
    configure_logs(config.log_level, config.log_format)
    number_log_lines(order["worker"])
    use_processors(config)
    link = Link(channel)
    try:
        journal = [Change.from_json(change) for change in order["journal"]]
        await _serve(config, link, RuntimeDirectory(Path(order["runtime_directory"])), journal)
    except (NumbatchError, OSError) as failure:
        _log.error("cannot start: %(failure)s", {"failure": failure})
        await link.say_failed(failure)
        return 1
    except Exception as bug:
        _log.exception("a bug of numbatch; please report it")
        await link.say_failed(bug)
        return _EX_SOFTWARE
    return 0


async def _serve(config: ServerConfig, link: Link, runtime: RuntimeDirectory, journal: Sequence[Change]) -> None:
    local: list[LocalControl] = []

    def shared(control: LocalControl) -> WorkerControl:
        local.append(control)
        return WorkerControl(control, link.in_turn, runtime.models)

    server = Server(config, load=SharedModels(runtime.weights), control=shared, share_port=True)

    async def start() -> None:
        server.discover()
        await server.load_models()
        await link.may_listen(local[0].registry, local[0].loader, journal)
        await server.open()

    await run_until_stopped(server, config, start, link.say_ready, is_worker=True)


if __name__ == "__main__":
    main()
