"""The load of one batch, within a session.

look at the history -> probe -> read, stage (again without a file that cannot be read) -> audit -> probe again
-> pass the fence -> publish -> result
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flows.loading.errors import Rejected
from flows.loading.files import Files
from flows.loading.reading.reading import Reading
from flows.loading.writing import append, history, tables, warehouse
from flows.loading.writing.staging import Staging
from flows.loading.writing.tables import Table
from schemas.report import Closed, Report

if TYPE_CHECKING:
    from flows.loading.closing import Ending
    from flows.loading.ledger import Claimed
    from flows.loading.steps import Steps
    from flows.loading.writing.append import Staged
    from flows.loading.writing.history import Snap


def load(ending: Ending, steps: Steps) -> Report | Closed:
    """Load the batch, or close it when its data or its configuration is wrong.

    Raises:
        Infrastructure, OutOfMemory: try again.
        NotWanted: the attempt was ended, or the batch closed, while this worked on it.
    """
    try:
        return _Load(ending.claimed, steps, ending).run(Table.named(ending.claimed.manifest.table))
    except Rejected as error:
        return ending.close(Closed(cause="wrong-data", reason=str(error)))


@dataclass(frozen=True, slots=True)
class _Load:
    claimed: Claimed
    steps: Steps
    ending: Ending

    def run(self, table: Table) -> Report | Closed:
        opened = self.ending.session
        reading = Reading(opened, self.claimed.manifest, Files(self.claimed.files), self.steps)
        staging = Staging(reading, table, self.claimed.batch, self._said())
        warehouse.probe(opened, table)
        there = tables.look(opened, table)
        if there is not None:
            staging.there, staging.changes = there.columns, [*there.changes]
            # Of a first attempt nothing is there; if it is all the same, the history tells once it is staged.
            if self.claimed.attempt > 1:
                found = self.ending.found_in(table, history.read(opened, table))
                if found is not None:
                    return found
        self.steps.done("look")
        reading.begin()
        return self._publish(staging, there.head if there is not None else None)

    def _publish(self, staging: Staging, head: int | None) -> Report | Closed:
        opened, table, batch = self.ending.session, staging.table, self.claimed.batch
        staged, rows = self._staged(staging)
        report = self._report(staging, rows)
        self.ending.ledger.stage(self.claimed, staged.snap.id if staged else None, report)
        self.steps.done("record")
        if staged is None:
            return self.ending.record(report, None)
        staging.publish_bad_rows()
        published = append.publish(opened, table, staged, batch, head)
        self.steps.done("publish")
        if published.by_another:
            return self.ending.found(table, history.read(opened, table), published.snap)
        recorded = self.ending.record(self._report(staging, rows), published.snap)
        self.steps.done("result")
        return recorded

    def _staged(self, staging: Staging) -> tuple[Staged | None, dict[str, int]]:
        """The staged snapshot and its rows by file: of versions that stood in the storage before and after reading.

        And of all their records, wherever our own look has counted them.
        """
        staged = staging.stage()
        while True:
            rows = self._rows(staging, staged.snap) if staged else {}
            left = staging.reading.files.left
            if strange := rows.keys() - left.keys():
                raise RuntimeError(f"rows of {min(strange)} are staged, which is not of {self.claimed.batch}")
            self.steps.done("audit")
            if (staged is not None and staged.is_visible) or not staging.reading.check(rows):
                return staged, rows  # what is visible is not staged a second time
            if staged is None:
                staged = staging.stage()
            elif gone := rows.keys() - left.keys():
                staged = staging.stage_without(staged, gone)  # files are read once, whatever is found to be wrong

    def _rows(self, staging: Staging, staged: Snap) -> dict[str, int]:
        """The rows by file: of one file, as many as the snapshot says; of several, they are counted."""
        if len(left := staging.reading.files.left) == 1:
            return dict.fromkeys(left, staged.rows) if staged.rows else {}
        return append.rows_per_file(self.ending.session, staging.table, staged)

    def _said(self) -> dict[str, str]:
        through = self.claimed.complete_through
        return {} if through is None else history.completing(self.claimed.manifest.source_id, through)

    def _report(self, staging: Staging, rows: dict[str, int]) -> Report:
        return Report(
            files=staging.reading.files.reports(rows, staging.reading.bad),
            rows=sum(rows.values()),
            schema_changes=tuple(staging.changes),
            columns=staging.told_columns() if staging.changes else (),
            seconds=dict(self.steps.seconds),
        )
