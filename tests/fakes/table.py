"""Iceberg with its write-audit-publish: what is staged is invisible, and a batch id is published at most once."""

from dataclasses import dataclass


class DuplicatePublish(Exception):
    """A snapshot was published under this batch id before: look at the history, it tells which."""


@dataclass(frozen=True, slots=True)
class FakeRow:
    """One row a file, so that what was loaded twice shows: its object, and the version whose bytes were read."""

    table: str
    uri: str
    version: str


@dataclass(frozen=True, slots=True)
class FakeSnapshot:
    """Rows under a batch id (`wap.id`); a tombstone has none, and keeps others out."""

    id: int
    batch: str
    rows: tuple[FakeRow, ...]
    tombstone: bool


class FakeTable:
    """All tables of the catalog."""

    def __init__(self) -> None:
        self._ids = 0
        self._staged: dict[int, FakeSnapshot] = {}
        self.published: list[FakeSnapshot] = []
        self.refused = 0

    async def stage(self, batch: str, rows: tuple[FakeRow, ...], *, tombstone: bool = False) -> int:
        """Write, invisibly; the snapshot's id."""
        self._ids += 1
        self._staged[self._ids] = FakeSnapshot(self._ids, batch, rows, tombstone)
        return self._ids

    async def publish(self, snapshot_id: int) -> None:
        """Make it visible.

        Raises:
            DuplicatePublish: its batch id is in the history.
        """
        snapshot = self._staged[snapshot_id]
        if any(earlier.batch == snapshot.batch for earlier in self.published):
            self.refused += 1
            raise DuplicatePublish(snapshot.batch)
        self.published.append(snapshot)

    async def history(self, batch: str) -> FakeSnapshot | None:
        """What was published under a batch id."""
        return next((snapshot for snapshot in self.published if snapshot.batch == batch), None)

    @property
    def rows(self) -> list[FakeRow]:
        return [row for snapshot in self.published for row in snapshot.rows]
