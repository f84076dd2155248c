"""Operators at work: versions that come and go on disk, models that are broken, models that are pushed."""

import random
import shutil
import threading
from pathlib import Path

from numbatch.client import Client
from soak.cast import VERSIONS
from soak.ledger import Ledger, Wrong
from support.server import write_model
from support.tiny import tiny_model

_ENOUGH_FOR_A_POLL_S = 1.2
_NOT_THERE = {"MODEL_NOT_FOUND", "MODEL_NOT_READY", "VERSION_NOT_FOUND"}


class Operators:
    """Change models until they are told to stop, on a thread of their own."""

    def __init__(self, address: str, repository: Path, ledger: Ledger, rng: random.Random) -> None:
        self._address = address
        self._repository = repository
        self._ledger = ledger
        self._rng = rng
        self._stopped = threading.Event()
        self._version = 1

    def start(self) -> None:
        """Begin, or go on."""
        self._stopped.clear()
        self._thread = threading.Thread(target=self._run, name="soak-operators")
        self._thread.start()

    def stop(self) -> None:
        """End, and wait for it."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        with Client(self._address) as client:
            while not self._stopped.wait(_ENOUGH_FOR_A_POLL_S):
                for work in (self._replace_version, self._break_models):
                    work()
                    if self._stopped.wait(_ENOUGH_FOR_A_POLL_S):
                        return
                self._push(client)

    def _replace_version(self) -> None:
        """Let another version appear; the one before goes once there was time to load the new one."""
        number = self._version % VERSIONS + 1
        folder = self._repository / "swapped"
        if number > 1:
            write_model(self._repository, tiny_model("swapped", factor=float(number)), number)
        else:  # back to the first one, as after a bad release
            for version in range(2, VERSIONS + 1):
                shutil.rmtree(folder / str(version), ignore_errors=True)
        self._version = number
        self._ledger.note("versions replaced", "replaced")

    def _break_models(self) -> None:
        """Let models appear that cannot be loaded, and those before disappear."""
        for name in ("broken-0", "broken-1"):
            shutil.rmtree(self._repository / name, ignore_errors=True)
        folder = self._repository / f"broken-{self._rng.randrange(2)}" / "1"
        folder.mkdir(parents=True)
        whole = tiny_model(folder.parent.name).SerializeToString()
        broken = self._rng.choice((b"", self._rng.randbytes(300), whole[: self._rng.randrange(1, len(whole))]))
        (folder / "model.binpb").write_bytes(broken)
        self._ledger.note("broken models", "written")

    def _push(self, client: Client) -> None:
        """Load a model from a message, use it, load one again from disk, and unload the first."""
        with self._ledger.entry("models pushed"):
            client.load_model(tiny_model("pushed", factor=5.0), version=1)
            if client.infer("pushed", [1, 2]).tolist() != [5, 10]:
                raise Wrong("a pushed model answers wrongly")
            client.load_model("wide")
            client.unload_model("pushed")
        with self._ledger.entry("broken models", _NOT_THERE):
            client.infer("broken-0", [1, 2])
