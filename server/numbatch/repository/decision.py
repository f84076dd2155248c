"""What lies on disk, and what is in memory -> what is to be loaded and what unloaded. Pure.

The rules, model by model:

- A version is loaded if the policy wants it and its files are not those that were loaded, refused or unloaded before.
  So a version that failed, or that somebody unloaded, is tried again when its files change, and not before.
- A version that somebody loaded by its number is wanted, whatever the policy says, until somebody unloads it.
- A version that is not wanted any more is unloaded once all that are wanted are at rest and one of them is ready:
  after its successor is ready, never before, and not at all if that fails.
- A model that has gone from the disk is unloaded. One whose settings cannot be read stays as it is.
- Versions that came in messages are left alone.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from numbatch.repository.policy import VersionPolicy
from numbatch.repository.snapshot import Entry
from numbatch.repository.survey import ModelOnDisk, Survey, VersionOnDisk
from numbatch.v1.repository_pb2 import MODEL_STATE_FAILED, MODEL_STATE_UNLOADED

_NOTHING_ON_DISK = ModelOnDisk()

Key = tuple[str, int]


class Decision(NamedTuple):
    """What is to be done, each by model and version.

    Attributes
    ----------
    fail : tuple of (str, int, str)
        To be listed as FAILED, with the reason.
    load : tuple of (str, int)
        To be loaded, of each model the newest first.
    retire : tuple of (str, int)
        To be unloaded and forgotten.
    """

    fail: tuple[tuple[str, int, str], ...] = ()
    load: tuple[Key, ...] = ()
    retire: tuple[Key, ...] = ()


def decide(
    found: Survey,
    known: Mapping[str, Mapping[int, Entry]],
    default_policy: VersionPolicy,
    names: Iterable[str] | None = None,
) -> Decision:
    """Decide what is to be done.

    Parameters
    ----------
    found : mapping of str to ModelOnDisk
        What is on disk.
    known : mapping of str to mapping of int to Entry
        What is in memory.
    default_policy : VersionPolicy
        For models whose settings have none.
    names : iterable of str, optional
        The models in question. Default: all.
    """
    every = found.keys() | known.keys() if names is None else set(names)
    decisions = [
        _decide(name, found.get(name, _NOTHING_ON_DISK), known.get(name, {}), default_policy) for name in sorted(every)
    ]
    return Decision(
        tuple(fail for decision in decisions for fail in decision.fail),
        tuple(key for decision in decisions for key in decision.load),
        tuple(key for decision in decisions for key in decision.retire),
    )


def _decide(name: str, model: ModelOnDisk, entries: Mapping[int, Entry], default_policy: VersionPolicy) -> Decision:
    if model.problem:
        listed = 0 in entries and entries[0].reason == model.problem
        return Decision(fail=() if listed else ((name, 0, model.problem),))
    on_disk = model.versions
    ours = {version: entry for version, entry in entries.items() if version and entry.signature is not None}
    changed = {v for v, there in on_disk.items() if not there.problem and _differs(entries.get(v), there)}
    failed = {v for v, there in on_disk.items() if there.problem}
    failed |= {v for v in on_disk.keys() & ours.keys() - changed if ours[v].state == MODEL_STATE_FAILED}
    pinned = {v for v, entry in ours.items() if entry.pinned} & on_disk.keys() - failed
    policy = model.settings.version_policy or default_policy
    wanted = policy.choose(on_disk.keys(), failed) | pinned
    fail = [
        (name, v, there.problem)
        for v, there in sorted(on_disk.items())
        if there.problem and (v not in entries or (entries[v].model is None and entries[v].reason != there.problem))
    ]
    load = sorted(wanted & changed, reverse=True)
    at_rest = not load and any(entries[v].model is not None for v in wanted)
    retire = [v for v, entry in sorted(ours.items()) if _may_go(v, entry, on_disk, wanted, at_rest=at_rest)]
    if 0 in entries:
        retire.insert(0, 0)  # what was wrong with the model as a whole is not wrong any more
    return Decision(tuple(fail), tuple((name, v) for v in load), tuple((name, v) for v in retire))


def _differs(entry: Entry | None, there: VersionOnDisk) -> bool:
    """Whether the files of a version are others than those that its entry was made of."""
    if entry is None:
        return True
    if entry.signature is None:  # it came in a message, and has its number until it is unloaded
        return entry.state == MODEL_STATE_UNLOADED
    return entry.signature != there.signature


def _may_go(
    version: int, entry: Entry, on_disk: Mapping[int, VersionOnDisk], wanted: Collection[int], *, at_rest: bool
) -> bool:
    """Whether a version that is known is to be forgotten."""
    if version in wanted:
        return False
    if not on_disk:
        return True
    if entry.model is not None:
        return at_rest
    # What failed or was unloaded stays listed as long as it is there, and nothing newer answers in its place.
    return version not in on_disk or (at_rest and version < min(wanted))
