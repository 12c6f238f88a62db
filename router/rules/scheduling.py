"""Admit first, then cut: which sources may have a batch now, and what goes into it.

A batch is cut only when its lane has a free slot and its source has no other batch in flight in that lane. A lonely
file on an idle source goes at once; while a run is in flight arrivals gather and are the next batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from router.rules.identity import Identity


@dataclass(frozen=True, slots=True)
class Backlog:
    """A source that has files waiting, and since when its oldest is."""

    source_id: str
    oldest: datetime


@dataclass(frozen=True, slots=True)
class WaitingFile:
    """A file that waits to be loaded; `size` in bytes."""

    identity: Identity
    size: int
    landed: datetime


def admit(backlogs: Sequence[Backlog], *, busy_sources: frozenset[str], free_slots: int) -> list[str]:
    """The sources to cut a batch of, the longest waiting first, one slot each."""
    ready = [backlog for backlog in backlogs if backlog.source_id not in busy_sources]
    ready.sort(key=lambda backlog: (backlog.oldest, backlog.source_id))
    return [backlog.source_id for backlog in ready[: max(0, free_slots)]]


def cut(waiting: Sequence[WaitingFile], *, max_files: int, max_bytes: int) -> Sequence[WaitingFile]:
    """The first files, in their order, that fit one batch. A single bigger file is a batch alone.

    Of several versions of an object only the last to land goes: a load reads what the object is now, and no more than
    that. The others wait, to be found superseded.
    """
    files, total = _one_version_each(waiting), 0
    for count, file in enumerate(files[:max_files]):
        total += file.size
        if total > max_bytes:
            return files[: max(1, count)]
    return files[:max_files]


def _one_version_each(waiting: Sequence[WaitingFile]) -> Sequence[WaitingFile]:
    last: dict[bytes, WaitingFile] = {}
    for file in waiting:
        known = last.setdefault(file.identity.object, file)
        if known.landed < file.landed:
            last[file.identity.object] = file
    return [file for file in waiting if last[file.identity.object] is file]
