"""Write, audit, publish: a batch's rows are in the table at most once (ARCHITECTURE.md, States).

A snapshot staged under `spark.wap.id` is invisible until it is cherry-picked, and the catalog refuses to pick a second
one with the same id.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import uuid4

from pyspark.sql import functions as F  # noqa: N812 - everybody's name for it

from flows.loading.errors import AlreadyPublished, Infrastructure, Outrun, Unheard
from flows.loading.translation import named_errors
from flows.loading.writing import history

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyspark.sql import DataFrame, SparkSession

    from flows.loading.writing.history import History, Snap
    from flows.loading.writing.tables import Table

STAGES, PICKS = 3, 10
FRESH_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Staged:
    """A staged snapshot, and the history in which it was found, at this moment of the monotonic clock."""

    snap: Snap
    seen: History
    at: float

    @property
    def is_visible(self) -> bool:
        """Whether it is in the table, where it should only be staged: somebody took `write.wap.enabled` away."""
        return any(snap.id == self.snap.id for snap in self.seen.ancestors())

    @property
    def is_fresh(self) -> bool:
        """Whether it was found a moment ago."""
        return time.monotonic() - self.at < FRESH_SECONDS


@dataclass(frozen=True, slots=True)
class Published:
    """The snapshot under which the batch is in the table; `by_another` when it is not the one staged here.

    It is committed at the moment at which its rows can be read, not at that of its staging.
    """

    snap: Snap
    by_another: bool


def stage(session: SparkSession, table: Table, frame: DataFrame, batch: str, said: Mapping[str, str] = {}) -> Staged:
    """Append the frame as a snapshot that nobody reads yet, unless the table just stopped staging (`is_visible`).

    `said` stands in the snapshot's summary.

    Raises:
        Outrun, Unheard: so it was again and again.
    """
    for tries_left in reversed(range(STAGES)):
        token = uuid4().hex
        try:
            _append(session, table, frame, batch, {history.TOKEN: token, **said})
        except (Outrun, Unheard):
            if (found := _staged_as(session, table, token)) is not None:
                return found  # it was our own commit, whose answer was lost
            if not tries_left:
                raise
        else:
            break
    found = _staged_as(session, table, token)
    if found is None or batch not in found.snap.batches:
        raise RuntimeError(f"{table.name}: the snapshot staged for {batch} has another wap id, or is not there")
    return found


def _staged_as(session: SparkSession, table: Table, token: str) -> Staged | None:
    now, at = history.read(session, table), time.monotonic()
    found = next((snap for snap in now.snapshots.values() if snap.token == token), None)
    return None if found is None else Staged(found, now, at)


def _append(session: SparkSession, table: Table, frame: DataFrame, batch: str, properties: Mapping[str, str]) -> None:
    writer = frame.withColumns({"_batch_id": F.lit(batch), "_loaded_at": F.current_timestamp()}).writeTo(table.name)
    # Spark sets `wap.id` too, but only while the table stages writes. Should it not, the append is visible at once, and
    # by this the catalog still refuses every other snapshot of the batch.
    for name, value in {history.BATCH: batch, "wap.id": batch, **properties}.items():
        writer = writer.option(f"snapshot-property.{name}", value)
    with named_errors():
        session.conf.set("spark.wap.id", batch)
        writer.append()
        session.conf.unset("spark.wap.id")


def rows(session: SparkSession, table: Table, staged: Snap) -> DataFrame:
    """The rows a staged snapshot adds."""
    if staged.parent is None:
        return session.sql(f"SELECT * FROM {table.name} VERSION AS OF {staged.id}")  # noqa: S608 - a checked name, a number
    return (
        session.read.format("iceberg")
        .option("start-snapshot-id", str(staged.parent))
        .option("end-snapshot-id", str(staged.id))
        .load(table.name)
    )


def rows_per_file(session: SparkSession, table: Table, staged: Snap) -> dict[str, int]:
    """How many rows a staged snapshot adds, by `_file_uri`.

    Raises:
        RuntimeError: the snapshot says of itself that it holds more or fewer.
    """
    with named_errors():
        counted = rows(session, table, staged).groupBy("_file_uri").count().collect()
        found = {row[0]: row[1] for row in counted}
    if sum(found.values()) != staged.rows:
        raise RuntimeError(f"{table.name}: {sum(found.values())} rows are staged, its snapshot says {staged.rows}")
    return found


def publish(session: SparkSession, table: Table, staged: Staged, batch: str, began_at: int | None) -> Published:
    """Make the staged snapshot part of the table, or find the one that was quicker.

    `began_at` is the head of main when the load began. What was committed since a fresh look at the history is found by
    the catalog, which refuses a second snapshot of the batch.

    Raises:
        Infrastructure: the history was cut off since then, so nobody can tell whether the batch is in it; or the table
            changes faster than this can publish.
    """
    for tried in range(PICKS):
        now = staged.seen if staged.is_fresh and not tried else history.read(session, table)
        if winner := now.published(batch):
            return _is_in(winner, staged.snap)
        if not now.reaches(began_at):
            raise Infrastructure(
                f"{table.name}: its history was cut off while {batch} was loaded; it is loaded again", target=None
            )
        try:
            return _is_in(_picked(session, table, staged.snap, batch), staged.snap)
        except AlreadyPublished:
            return _is_in(_winner(session, table, batch), staged.snap)
        except (Outrun, Unheard):
            continue
    raise Infrastructure(f"{table.name}: {PICKS} commits of others came first while {batch} was published", target=None)


def _is_in(snap: Snap, staged: Snap) -> Published:
    return Published(snap, by_another=snap.source != staged.id)


def _picked(session: SparkSession, table: Table, staged: Snap, batch: str) -> Snap:
    with named_errors():
        (row,) = session.sql(f"CALL {table.catalog}.system.cherrypick_snapshot('{table.name}', {staged.id})").collect()
    if row["current_snapshot_id"] == staged.id:
        return replace(staged, committed_at=datetime.now(UTC))
    return _winner(session, table, batch)


def _winner(session: SparkSession, table: Table, batch: str) -> Snap:
    found = history.read(session, table).published(batch)
    if found is None:
        raise Infrastructure(
            f"{table.name}: {batch} was published, but its history does not show it any more", target=None
        )
    return found
