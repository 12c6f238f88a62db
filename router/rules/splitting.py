"""How a batch is split until the file that fails its runs is alone.

A batch whose runs crash, and nobody can say why, is closed, and its files go on in two halves, each a batch of its own.
Their ids follow from the batch's, and which file is in which half from the files: a ledger that was restored from a
backup makes the same halves once more, and finds them in the table.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from router.rules.outgoing import OutgoingEvent
from router.rules.settlement import EndedBatch, batch_event
from schemas.manifest import ManifestFile
from schemas.report import Closed


@dataclass(frozen=True, slots=True)
class Half:
    """A batch to be, of some of the files of the one that is split."""

    id: str
    files: Sequence[ManifestFile]


@dataclass(frozen=True, slots=True)
class Split:
    """How a batch ends whose files go on in two halves, and the event that says so."""

    batch: str
    n: int
    reason: str
    halves: tuple[Half, Half]
    event: OutgoingEvent


def split(batch: EndedBatch, *, now: datetime, run_url: str | None) -> Split | None:
    """The end of a batch that was closed for its files to go on; None when they end with it."""
    closed = batch.report
    if not isinstance(closed, Closed) or not closed.split or batch.given_up or len(batch.files) < 2:
        return None
    files = sorted(batch.files, key=lambda file: (file.uri, file.version))
    middle = len(files) // 2
    first, second = Half(f"{batch.id}-1", files[:middle]), Half(f"{batch.id}-2", files[middle:])
    event = batch_event(
        _still_open(batch),
        "split",
        closed.reason,
        [],
        complete_through=min(batch.context.oldest_open or batch.landed, batch.landed),
        now=now,
        run_url=run_url,
        split_into=[first.id, second.id],
    )
    return Split(batch.id, batch.n, closed.reason, (first, second), event)


def _still_open(batch: EndedBatch) -> EndedBatch:
    """As requests see it: none of its files has ended."""
    requests = [replace(asking, files_here=0) for asking in batch.context.requests]
    return replace(batch, context=replace(batch.context, requests=requests))
