"""Folders that processes share."""

import fcntl
import os
import queue
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from numbatch.engine.leases import Lease

KILLED = """
import os, shutil, sys
from pathlib import Path
from numbatch.engine.leases import Lease

def make(folder):
    (folder / "half").touch()
    if sys.argv[2] == "while it makes it":
        os.kill(os.getpid(), 9)

def remove(folder, **_):
    (folder / "half").unlink()
    os.kill(os.getpid(), 9)

lease = Lease.take(Path(sys.argv[1]), make)
if sys.argv[2] == "while it removes it":
    shutil.rmtree = remove
    lease.release()
os.kill(os.getpid(), 9)
"""


def _fill(folder: Path) -> None:
    (folder / "file").write_text("filled")


def _never(folder: Path) -> None:
    raise AssertionError(f"{folder} is there already")


def test_the_first_makes_it_and_the_last_removes_it(tmp_path: Path) -> None:
    first = Lease.take(tmp_path / "shared", _fill)
    second = Lease.take(tmp_path / "shared", _never)
    assert (second.folder / "file").read_text() == "filled"
    first.release()
    assert (second.folder / "file").read_text() == "filled"
    second.release()
    assert list(tmp_path.iterdir()) == []


def test_whoever_comes_while_it_is_made_waits_and_uses_it(tmp_path: Path) -> None:
    begun, go_on, leases = threading.Event(), threading.Event(), []

    def slowly(folder: Path) -> None:
        begun.set()
        assert go_on.wait(20)
        _fill(folder)

    threads = [threading.Thread(target=lambda: leases.append(Lease.take(tmp_path / "shared", slowly)))]
    threads[0].start()
    assert begun.wait(20)
    threads += [
        threading.Thread(target=lambda: leases.append(Lease.take(tmp_path / "shared", _never))) for _ in range(3)
    ]
    for thread in threads[1:]:
        thread.start()
    assert leases == []
    go_on.set()
    for thread in threads:
        thread.join()
    for lease in leases:
        lease.release()
    assert (len(leases), list(tmp_path.iterdir())) == (4, [])


def test_one_that_cannot_be_made_is_not_there_and_the_next_one_tries(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").touch()
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        Lease.take(tmp_path / "shared", fail)
    assert list(tmp_path.iterdir()) == []
    lease = Lease.take(tmp_path / "shared", _fill)
    assert [path.name for path in lease.folder.iterdir()] == ["file"]
    lease.release()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("when", "left"), [("while it makes it", "file"), ("while it uses it", "half"), ("while it removes it", "file")]
)
def test_a_process_that_is_killed_holds_nothing(tmp_path: Path, when: str, left: str) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "shared"), when], check=False)
    assert killed.returncode == -9
    lease = Lease.take(tmp_path / "shared", _fill)
    assert [path.name for path in lease.folder.iterdir()] == [left]
    lease.release()
    assert list(tmp_path.iterdir()) == []


def test_it_is_made_anew_after_all_have_left_however_they_come_and_go(tmp_path: Path) -> None:
    made = []

    def make(folder: Path) -> None:
        made.append(folder)
        _fill(folder)

    def come_and_go() -> None:
        for _ in range(50):
            lease = Lease.take(tmp_path / "shared", make)
            assert (lease.folder / "file").read_text() == "filled"
            lease.release()

    threads = [threading.Thread(target=come_and_go) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) >= 1
    assert list(tmp_path.iterdir()) == []


def test_nobody_waits_for_one_who_came_first_and_stays(tmp_path: Path) -> None:
    lock = os.open(tmp_path / "shared.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_SH)  # another, who has seen that the folder is not there
    taken: queue.Queue[Lease] = queue.Queue()
    waiting = threading.Thread(target=lambda: taken.put(Lease.take(tmp_path / "shared", _never)))
    waiting.start()
    with pytest.raises(queue.Empty):
        taken.get(timeout=0.05)
    (tmp_path / "shared").mkdir()  # makes it, and uses it from then on
    lease = taken.get(timeout=10)
    waiting.join()
    lease.release()
    os.close(lock)


def test_a_folder_that_somebody_else_removed_is_not_waited_for_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("numbatch.engine.leases._MOST_APART_S", 0)
    lease = Lease.take(tmp_path / "shared", _fill)
    shutil.rmtree(lease.folder)
    with pytest.raises(OSError, match="others use .*shared, which is not there any more"):
        Lease.take(tmp_path / "shared", _never)
    lease.release()
    Lease.take(tmp_path / "shared", _fill).release()
    assert list(tmp_path.iterdir()) == []


def test_many_who_come_at_once_make_it_once(tmp_path: Path) -> None:
    made: list[Path] = []

    def fill(folder: Path) -> None:
        made.append(folder)
        _fill(folder)

    leases: list[Lease] = []
    threads = [threading.Thread(target=lambda: leases.append(Lease.take(tmp_path / "shared", fill))) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert (len(leases), len(made)) == (16, 1)
    for lease in leases:
        lease.release()
    assert list(tmp_path.iterdir()) == []
