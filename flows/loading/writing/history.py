"""The table's history, as its metadata tells it: which batches are in, and which snapshot is which.

`t.history` lies after rollbacks and expiry, so the parents are followed. `refs` and `snapshots` are asked together; a
head that is not among the snapshots came between the two, and they are asked again. A batch is known by the wap ids,
and by the id we put beside them: the table may have stopped staging (`write.wap.enabled` was taken away) when we
appended. Our own properties are not on a snapshot that was published over another: there the staged one, named by
`source-snapshot-id`, still has them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from flows.loading.errors import Infrastructure
from flows.loading.translation import named_errors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyspark.sql import Row, SparkSession

    from flows.loading.writing.tables import Table
    from schemas.report import Closed

BATCH, TOKEN = "autoloader.batch-id", "autoloader.attempt"
SOURCE, COMPLETE_THROUGH = "autoloader.source-id", "autoloader.complete-through"
CLOSED_CAUSE, CLOSED_REASON, CLOSED_SPLIT = "autoloader.closed", "autoloader.reason", "autoloader.split"
_IDS = ("wap.id", "published-wap-id", BATCH)
_HEAD, _TRIES = "the head of main", 5
_PROPERTIES = (*_IDS, "source-snapshot-id", "added-records", TOKEN, CLOSED_CAUSE, CLOSED_REASON, CLOSED_SPLIT)


@dataclass(frozen=True, slots=True)
class Snap:
    """One snapshot; `source` is the staged one it was picked from (itself when published as it was)."""

    id: int
    parent: int | None
    committed_at: datetime
    operation: str
    batches: frozenset[str]
    source: int
    rows: int
    token: str | None
    closed: tuple[str, str, bool] | None


@dataclass(frozen=True, slots=True)
class History:
    """The snapshots there are, and the head of main."""

    head: int | None
    snapshots: dict[int, Snap]

    def ancestors(self) -> Iterator[Snap]:
        """From the head back to the first, or to where it was cut off."""
        at = self.head
        while at is not None and at in self.snapshots:
            yield self.snapshots[at]
            at = self.snapshots[at].parent

    def published(self, batch: str) -> Snap | None:
        """The snapshot under which the batch is in the table: the first, should one have come after it unstaged."""
        found = [snap for snap in self.ancestors() if batch in snap.batches | self._source(snap).batches]
        return found[-1] if found else None

    @property
    def cut_off(self) -> bool:
        """Whether snapshots are missing that once were main's."""
        known = list(self.ancestors())
        return bool(known) and known[-1].parent is not None

    def reaches(self, snapshot_id: int | None) -> bool:
        """Whether nothing was cut off since that snapshot was head."""
        return snapshot_id is None or any(snap.id == snapshot_id for snap in self.ancestors())

    def closed_by(self, snap: Snap) -> tuple[str, str, bool] | None:
        """Cause, reason and whether it is split, if the snapshot is known to close its batch."""
        return snap.closed or self._source(snap).closed

    def _source(self, snap: Snap) -> Snap:
        return self.snapshots.get(snap.source, snap)


def closing(closed: Closed) -> dict[str, str]:
    """What the summary of a snapshot says that closes its batch."""
    said = {CLOSED_CAUSE: closed.cause, CLOSED_REASON: closed.reason}
    return {**said, CLOSED_SPLIT: "true"} if closed.split else said


def completing(source_id: str, through: datetime) -> dict[str, str]:
    """What the summary of a snapshot says of its source, with the moment as RFC 3339 in UTC."""
    return {SOURCE: source_id, COMPLETE_THROUGH: through.astimezone(UTC).isoformat().replace("+00:00", "Z")}


def read(session: SparkSession, table: Table) -> History:
    """The history now. The table exists.

    Raises:
        Infrastructure: its head is not among its snapshots.
    """
    for _ in range(_TRIES):
        with named_errors():
            rows = session.sql(_question(table)).collect()
        head = next((row[0] for row in rows if row[1] == _HEAD), None)
        snapshots = {snap.id: snap for snap in (_snap(row) for row in rows if row[1] != _HEAD)}
        if head is None or head in snapshots:
            return History(head, snapshots)
    raise Infrastructure(f"{table.name}: its head {head} is not among its snapshots", target=None)


def _question(table: Table) -> str:
    properties = ", ".join(f"summary['{name}']" for name in _PROPERTIES)
    columns = f"snapshot_id, operation, parent_id, unix_micros(committed_at), {properties}"
    nothing = ", ".join("NULL" for _ in range(2 + len(_PROPERTIES)))
    head = f"SELECT snapshot_id, '{_HEAD}', {nothing} FROM {table.name}.refs WHERE name = 'main'"  # noqa: S608 - of checked words
    return f"{head} UNION ALL SELECT {columns} FROM {table.name}.snapshots"  # noqa: S608 - of checked words


def _snap(row: Row) -> Snap:
    snapshot_id, operation, parent, micros, wap, published, ours, source, rows, token, cause, reason, split = row
    return Snap(
        id=snapshot_id,
        parent=parent,
        committed_at=datetime.fromtimestamp(micros / 1_000_000, UTC),
        operation=operation,
        batches=frozenset(batch for batch in (wap, published, ours) if batch),
        source=int(source or snapshot_id),
        rows=int(rows or 0),
        token=token,
        closed=(cause, reason or "", split is not None) if cause else None,
    )
