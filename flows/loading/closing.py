"""How a batch is closed, so that it can never load any more; and how a batch that is in the table already is adopted.

Closing publishes an empty snapshot under the batch's id. If the catalog refuses it, the batch is in the table: closing
then ends in adoption. Where no snapshot can be published the ledger's fence closes alone, if nothing was staged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

from flows.loading.errors import Denied, Rejected
from flows.loading.files import Files
from flows.loading.reading.frames import empty
from flows.loading.reading.reading import Reading
from flows.loading.steps import Steps
from flows.loading.translation import named_errors
from flows.loading.writing import append, history, quarantine, tables, warehouse
from flows.loading.writing.tables import Table
from schemas.report import Cause, Closed, FileReport, Report, Snapshot

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyspark.sql import SparkSession

    from flows.loading.ledger import Claimed, Ledger
    from flows.loading.writing.history import History, Snap


@dataclass(frozen=True, slots=True)
class Ending:
    """What it takes to end a batch: the session, the ledger, and the claim under which this is done."""

    session: SparkSession
    ledger: Ledger
    claimed: Claimed

    def close(self, closed: Closed) -> Report | Closed:
        """Close it, or find that it is loaded; either stands in the ledger afterwards.

        Raises:
            Infrastructure: only the table could tell, and it does not answer.
        """
        try:
            table = Table.named(self.claimed.manifest.table)
            warehouse.probe(self.session, table)
            there = tables.exists(self.session, table)
        except (Rejected, Denied):
            return self._by_fence(closed, table_is_gone=False)
        if not there:
            return self._by_fence(closed, table_is_gone=True)
        try:
            return self._by_snapshot(table, closed)
        except (Rejected, Denied):
            return self._by_fence(closed, table_is_gone=False)

    def found_in(self, table: Table, began: History) -> Report | Closed | None:
        """What became of the batch by an earlier attempt, recorded; None when nothing of it is in the table.

        Where snapshots have expired the history cannot tell, so the rows are counted.
        """
        if snap := began.published(self.claimed.batch):
            return self.found(table, began, snap)
        if not began.cut_off or self.claimed.attempt == 1:
            return None
        rows = self._rows(table)
        return self.record(self._counted(rows), None) if rows else None

    def found(self, table: Table, now: History, snap: Snap) -> Report | Closed:
        """The batch has a snapshot in the table: what it is, recorded."""
        known = self.ledger.report_of(self.claimed.batch, snap.source)
        if known is None and (now.closed_by(snap) is not None or not snap.rows):
            return self._record_closed(self._closed_before(now, snap))
        return self.record(known or self._counted(self._rows(table)), snap)

    def record(self, report: Report, snap: Snap | None) -> Report:
        """Published: with the snapshot, unless no file was left to load."""
        if snap is not None and any(file.outcome == "loaded" for file in report.files):
            held = Snapshot(id=str(snap.id), operation=snap.operation, committed_at=snap.committed_at)
            report = report.model_copy(update={"snapshot": held})
        self.ledger.publish(self.claimed, report)
        return report

    def _by_fence(self, closed: Closed, *, table_is_gone: bool) -> Closed:
        self.ledger.closed_by_fence(self.claimed, closed, table_is_gone=table_is_gone)
        return closed

    def _by_snapshot(self, table: Table, closed: Closed) -> Report | Closed:
        tables.fit_for_loading(self.session, table)
        began = history.read(self.session, table)
        if (found := self.found_in(table, began)) is not None:
            return found
        nothing = empty(self.session, tables.columns(self.session, table))
        staged = append.stage(self.session, table, nothing, self.claimed.batch, history.closing(closed))
        self.ledger.check(self.claimed)
        quarantine.close(self.session, table, self.claimed.batch, closed)
        published = append.publish(self.session, table, staged, self.claimed.batch, began.head)
        if published.by_another:
            return self.found(table, history.read(self.session, table), published.snap)
        return self._record_closed(closed)

    def _record_closed(self, closed: Closed) -> Closed:
        self.ledger.closed(self.claimed, closed)
        return closed

    def _closed_before(self, now: History, snap: Snap) -> Closed:
        if (before := self.ledger.closed_before(self.claimed.batch)) is not None:
            return before
        unknown = ("crash", self.claimed.closing or "an earlier attempt closed it", self.claimed.splitting)
        cause, reason, split = now.closed_by(snap) or unknown
        known: tuple[Cause, ...] = get_args(Cause)
        return Closed(cause=next((word for word in known if word == cause), "crash"), reason=reason, split=split)

    def _rows(self, table: Table) -> dict[str, int]:
        """The rows of the batch in the table, by file."""
        with named_errors():
            of_batch = self.session.table(table.name).where(f"_batch_id = '{self.claimed.batch}'")
            return {row[0]: row[1] for row in of_batch.groupBy("_file_uri").count().collect()}

    def _counted(self, rows: Mapping[str, int]) -> Report:
        """What the table says, when the ledger has lost what was staged (restored from a backup).

        Of the files without rows the storage is asked, and each is looked at once more.
        """
        rest = Files([file for file in self.claimed.files if file.uri not in rows])
        reading = Reading(self.session, self.claimed.manifest, rest, Steps())
        reading.begin()
        reading.check({})
        loaded = (
            FileReport(uri=file.uri, version=file.version, outcome="loaded", rows=rows[file.uri])
            for file in self.claimed.files
            if file.uri in rows
        )
        return Report(files=(*loaded, *rest.reports({})), rows=sum(rows.values()))
