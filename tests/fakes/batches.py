"""`batch` and `attempt` as they begin, as `adapters.postgres.batches` keeps them."""

from collections.abc import Sequence
from datetime import datetime

from router.ports import DueBatch, NewBatch, Submission
from router.rules.scheduling import Backlog, WaitingFile
from schemas.config import Lane
from tests.fakes.database import AttemptRow, BatchRow, FakeDatabase
from tests.fakes.lease import FakeLease

ROLE = "scheduling"


class FakeBatches:
    """See `ports.BatchLedger`."""

    def __init__(self, database: FakeDatabase, lease: FakeLease) -> None:
        self._database = database
        self._lease = lease
        self.hold = lease.hold

    async def unsubmitted(self, limit: int) -> Sequence[Submission]:
        self._database.begin()
        rows = [
            (batch, n, row)
            for (batch, n), row in self._database.attempts.items()
            if row.ended is None and row.run_id is None
        ]
        rows.sort(key=lambda found: found[2].created)
        return [self._submission(batch, n, row) for batch, n, row in rows[:limit]]

    async def due_batches(self, limit: int) -> Sequence[DueBatch]:
        now = self._database.begin()
        due = [
            (batch, row)
            for batch, row in self._database.batches.items()
            if row.ended is None and row.due <= now and self._has_no_open_attempt(batch)
        ]
        due.sort(key=lambda found: found[1].due)
        return [
            DueBatch(batch, self._last(batch) + 1, row.lane, "load" if row.closing is None else "close")
            for batch, row in due[:limit]
        ]

    async def in_flight(self, lane: Lane) -> int:
        self._database.begin()
        return sum(row.ended is None and row.lane == lane for row in self._database.attempts.values())

    async def busy_sources(self, lane: Lane) -> frozenset[str]:
        self._database.begin()
        rows = self._database.batches.values()
        return frozenset(row.manifest.source_id for row in rows if row.ended is None and row.lane == lane)

    async def backlogs(self, source_ids: Sequence[str]) -> Sequence[Backlog]:
        self._database.begin()
        oldest: dict[str, datetime] = {}
        for identity, row in self._database.files.items():
            if row.waits:
                oldest[identity.source_id] = min(row.accepted, oldest.get(identity.source_id, row.accepted))
        return [Backlog(source_id, oldest[source_id]) for source_id in source_ids if source_id in oldest]

    async def waiting(self, source_id: str, limit: int) -> Sequence[WaitingFile]:
        self._database.begin()
        rows = [
            (identity, row)
            for identity, row in self._database.files.items()
            if identity.source_id == source_id and row.waits
        ]
        rows.sort(key=lambda found: (found[1].accepted, found[0].object))
        return [WaitingFile(identity, row.size, row.landed) for identity, row in rows[:limit]]

    async def cut(self, batch: NewBatch, epoch: int) -> Submission | None:
        now = self._database.begin()
        self._lease.check(ROLE, epoch)
        files = self._database.files
        taken = [row for file in batch.files if (row := files.get(file.identity)) is not None and row.waits]
        if not taken:
            return None
        for row in taken:
            row.batch_id = batch.id
        landed = min(row.landed for row in taken)
        self._database.batches[batch.id] = BatchRow(batch.lane, landed, batch.manifest, now, now)
        return self._begin(DueBatch(batch.id, 1, batch.lane, "load"), epoch, now)

    async def attempt(self, due: DueBatch, epoch: int) -> Submission | None:
        now = self._database.begin()
        self._lease.check(ROLE, epoch)
        return self._begin(due, epoch, now)

    async def submitted(self, submission: Submission, run_id: str) -> None:
        now = self._database.begin()
        row = self._database.attempts[submission.batch, submission.n]
        if row.run_id is None:
            row.run_id, row.submitted = run_id, now

    def _begin(self, due: DueBatch, epoch: int, now: datetime) -> Submission | None:
        if self._database.open_batch(due.id) is None or (due.id, due.n) in self._database.attempts:
            return None
        row = AttemptRow(due.kind, due.lane, epoch, now)
        self._database.attempts[due.id, due.n] = row
        return self._submission(due.id, due.n, row)

    def _submission(self, batch: str, n: int, row: AttemptRow) -> Submission:
        source_id = self._database.batches[batch].manifest.source_id
        return Submission(batch, n, row.lane, source_id, row.kind, row.job_variables)

    def _has_no_open_attempt(self, batch: str) -> bool:
        return all(row.ended is not None for _, row in self._database.attempts_of(batch))

    def _last(self, batch: str) -> int:
        return max(n for n, _ in self._database.attempts_of(batch))
