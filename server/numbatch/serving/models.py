"""The models of a server: loaded when it starts, and, if it is told so, kept as they are on disk."""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TYPE_CHECKING

from numbatch.repository.loading import Loader, Retries
from numbatch.repository.memory import MemoryAccount, default_limit_bytes
from numbatch.repository.policy import parse_policy
from numbatch.repository.poller import Poller
from numbatch.repository.registry import Registry
from numbatch.repository.report import LoadReport
from numbatch.serving.config import ServerConfig
from numbatch.serving.config.repository import model_names

if TYPE_CHECKING:
    from numbatch.repository.survey import Survey

_log = logging.getLogger(__name__)


class Models:
    """Loads what the configuration says when it says so.

    Parameters
    ----------
    config : ServerConfig
        What the server is told.
    load : Loader
        Makes the models.
    loader : Executor
        One thread, on which models are loaded one after the other, whoever asks for it.
    on_change : callable
        Called after every change, on the thread that made it.
    on_load : callable
        Called after every load, on the thread that it was on.

    Attributes
    ----------
    registry : Registry
        The models.
    """

    def __init__(
        self,
        config: ServerConfig,
        load: Loader,
        loader: Executor,
        on_change: Callable[[], None],
        on_load: Callable[[LoadReport], None] = lambda _: None,
    ) -> None:
        limit = config.max_model_memory_bytes
        self._stopped = threading.Event()
        self.registry = Registry(
            config.models_on_disk,
            load=load,
            weights_precision=config.weights_precision,
            version_policy=parse_policy(config.version_policy),
            memory=MemoryAccount(default_limit_bytes() if limit is None else limit or None),
            retries=Retries(config.load_retries, config.load_retry_delay_s, self._stopped.wait),
            on_change=on_change,
            on_load=on_load,
        )
        self._config = config
        self._loader = loader
        self._found: Survey = {}
        self._polling: asyncio.Task[None] | None = None

    def discover(self) -> None:
        """Find what is to be loaded when the server starts, and list it.

        Raises
        ------
        OSError
            If the model repository cannot be read; the message names it.
        """
        config = self._config
        explicit = config.model_control == "explicit"
        if config.load_model and not explicit:
            _log.warning("all models are loaded: load_model is without effect unless model_control is explicit")
        if config.model_control == "poll" and config.models_on_disk is None:
            _log.warning(
                "there is nothing to look at: model_control poll is without effect unless there is a repository"
            )
        self._found = self.registry.discover(model_names(config.load_model) if explicit else None)

    async def load(self) -> None:
        """Load what was found; from then on follow what is on disk, if that was asked for."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._loader, self.registry.load, self._found)
        if self._config.model_control == "poll" and not self._stopped.is_set():
            self._polling = asyncio.create_task(self._poll(Poller(self.registry, self._found)))

    async def stop(self) -> None:
        """Begin no further load."""
        self._stopped.set()
        self.registry.close()
        if self._polling is not None:
            self._polling.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._polling

    async def _poll(self, poller: Poller) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self._config.poll_interval_s)
            try:
                await loop.run_in_executor(self._loader, poller.poll)
            except Exception:
                _log.exception("looking at the model repository failed unexpectedly")
