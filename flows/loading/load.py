"""One attempt of one batch, from the claim to the result. It knows nothing of Prefect.

    claim -> session -> look at the history -> probe -> read, stage (again without a file that cannot be read) -> audit
    -> probe again -> pass the fence -> publish -> result

Whatever happens in between, the next attempt finds either nothing of this one in the table, or all of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import psycopg

from flows.loading import history, publish, readers, session, tables
from flows.loading.closing import Ending
from flows.loading.errors import Infrastructure, NotWanted, Rejected, cause_of
from flows.loading.files import Files
from flows.loading.staging import Staging
from flows.loading.steps import Steps, Watch, unwatched
from flows.loading.tables import Table
from schemas.report import Closed, Report

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flows.loading.history import Snap
    from flows.loading.ledger import Claimed, Ledger

Ended = Report | Closed | Literal["not wanted", "settled before"]


def load(
    batch: str, attempt: int, run_id: str, *, ledger: Ledger, environ: Mapping[str, str], watch: Watch = unwatched
) -> Ended:
    """Load or close the batch as this attempt, and write its result.

    `environ` says where Spark is: `SPARK_CONNECT_URL`, or nothing for an embedded session. Why it failed is in the
    ledger before an error leaves here.

    Raises:
        Infrastructure, OutOfMemory: try again.
        NotWanted: the attempt was ended, or the batch closed, while this worked on it.
    """
    steps = Steps(watch)
    claimed = ledger.claim(batch, attempt, run_id)
    if claimed is None:
        return "not wanted"
    if claimed.settled:
        return "settled before"
    steps.done("claim")
    try:
        with session.opened(claimed, environ) as opened:
            steps.done("session")
            return _Load(claimed, steps, Ending(opened, ledger, claimed)).run()
    except NotWanted:
        raise
    except Exception as error:
        _say_why(ledger, claimed, error)
        raise


def _say_why(ledger: Ledger, claimed: Claimed, error: Exception) -> None:
    try:
        ledger.failed(claimed, cause_of(error), str(error) or type(error).__name__)
    except (Infrastructure, psycopg.Error):
        error.add_note("and the ledger could not be told")


@dataclass(frozen=True, slots=True)
class _Load:
    claimed: Claimed
    steps: Steps
    ending: Ending

    def run(self) -> Report | Closed:
        if self.claimed.kind == "close":
            return self.ending.close(Closed(cause="crash", reason=self.claimed.closing or "its attempts crashed"))
        try:
            return self._load(Table.named(self.claimed.manifest.table))
        except Rejected as error:
            return self.ending.close(Closed(cause="wrong-data", reason=str(error)))

    def _load(self, table: Table) -> Report | Closed:
        opened, manifest, files = self.ending.session, self.claimed.manifest, Files(self.claimed.files)
        staging = Staging(opened, table, self.claimed.batch, manifest, files, self.steps)
        head: int | None = None
        if tables.exists(opened, table):
            staging.changes += tables.fit_for_loading(opened, table)
            began = history.read(opened, table)
            if snap := began.published(self.claimed.batch):
                return self.ending.found(table, began, snap)
            head = began.head
        self.steps.done("look")
        staging.probe()
        readers.quarantine_unseen(files, manifest.format)
        return self._publish(staging, head)

    def _publish(self, staging: Staging, head: int | None) -> Report | Closed:
        opened, table, batch = self.ending.session, staging.table, self.claimed.batch
        staged, rows = self._staged(staging)
        report = self._report(staging, rows)
        self.ending.ledger.stage(self.claimed, staged.id if staged else None, report)
        self.steps.done("record")
        if staged is None:
            return self.ending.record(report, None)
        published = publish.publish(opened, table, staged, batch, head)
        self.steps.done("publish")
        if published.by_another:
            return self.ending.found(table, history.read(opened, table), published.snap)
        recorded = self.ending.record(self._report(staging, rows), published.snap)
        self.steps.done("result")
        return recorded

    def _staged(self, staging: Staging) -> tuple[Snap | None, dict[str, int]]:
        """The staged snapshot and its rows by file: of versions that stood in the storage before and after reading."""
        while True:
            staged = staging.stage()
            if staged is None:
                return None, {}
            rows = publish.rows_per_file(staging.session, staging.table, staged)
            if strange := rows.keys() - staging.files.left.keys():
                raise RuntimeError(f"rows of {min(strange)} are staged, which is not of {self.claimed.batch}")
            self.steps.done("audit")
            if not staging.probe():
                return staged, rows

    def _report(self, staging: Staging, rows: dict[str, int]) -> Report:
        return Report(
            files=staging.files.reports(rows),
            rows=sum(rows.values()),
            schema_changes=tuple(staging.changes),
            seconds=dict(self.steps.seconds),
        )
