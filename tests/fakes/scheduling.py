"""`batch` and `attempt` as they begin, as `adapters.postgres.scheduling` keeps them."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from router.ports.runs import Submission
from router.ports.scheduling import DueBatch, DuePreview, NewBatch
from router.rules.breaker import Breaker
from router.rules.identity import Identity
from router.rules.scheduling import Backlog, WaitingFile
from schemas.config.lanes import Lane
from schemas.config.sizes import JobVariables
from schemas.events.requests import PreviewAsked
from schemas.manifest import AttemptKind, ManifestFile
from tests.fakes import breakers
from tests.fakes.database import AttemptRow, BatchRow, FakeDatabase, FileRow, SourceRow
from tests.fakes.lease import FakeLease

ROLE = "scheduling"
_LONGEST_PAUSE = timedelta(seconds=30)


class FakeScheduling:
    """See `ports.scheduling.SchedulingLedger`."""

    def __init__(self, database: FakeDatabase, lease: FakeLease) -> None:
        self._database = database
        self._lease = lease
        self.hold = lease.hold
        self.release = lease.release

    async def has_work(self) -> bool:
        self._database.begin()
        return (
            any(row.waits for row in self._database.files.values())
            or any(row.ended is None for row in self._database.batches.values())
            or any(
                row.end is None and isinstance(row.request.asked, PreviewAsked)
                for row in self._database.requests.values()
            )
        )

    async def unsubmitted(self, limit: int) -> Sequence[Submission]:
        now = self._database.begin()
        rows = [
            (batch, n, row)
            for (batch, n), row in self._database.attempts.items()
            if row.ended is None and row.run_id is None and row.due <= now
        ]
        rows.sort(key=lambda found: found[2].due)
        return [self._submission(batch, n, row) for batch, n, row in rows[:limit]]

    async def breakers(self) -> Sequence[Breaker]:
        return breakers.breakers(self._database)

    async def hold_back(self, targets: Collection[str]) -> None:
        breakers.probed(self._database, targets)

    async def due_batches(self, lane: Lane, limit: int, without: Collection[str] = ()) -> Sequence[DueBatch]:
        now = self._database.begin()
        due = [
            (batch, row)
            for batch, row in self._database.batches.items()
            if row.ended is None
            and row.lane == lane
            and row.due <= now
            and row.manifest.source_id not in without
            and self._has_begun(batch)
            and self._has_no_open_attempt(batch)
        ]
        due.sort(key=lambda found: found[1].due)
        return [
            DueBatch(batch, self._last(batch) + 1, row.lane, row.manifest.source_id, row.size_class, _kind(row))
            for batch, row in due[:limit]
        ]

    async def halves(self) -> Sequence[DueBatch]:
        self._database.begin()
        unbegun = [
            (row.cut, batch, row)
            for batch, row in self._database.batches.items()
            if row.ended is None and row.split_from is not None and not self._has_begun(batch)
        ]
        first: dict[tuple[str, Lane], DueBatch] = {}
        for _, batch, row in sorted(unbegun, key=lambda found: found[:2]):
            source_id = row.manifest.source_id
            half = DueBatch(batch, 1, row.lane, source_id, row.size_class, _kind(row), row.estimate)
            first.setdefault((source_id, row.lane), half)
        return [first[line] for line in sorted(first)]

    async def in_flight(self) -> Mapping[Lane, int]:
        self._database.begin()
        return Counter(row.lane for row in self._database.attempts.values() if row.takes_a_slot)

    async def busy(self) -> frozenset[tuple[str, Lane]]:
        self._database.begin()
        lines: dict[tuple[str, Lane], list[bool]] = {}
        for batch, row in self._database.batches.items():
            if row.ended is None and row.request_id is None and self._has_begun(batch):
                lines.setdefault((row.manifest.source_id, row.lane), []).append(self._is_staged(batch))
        return frozenset(line for line, staged in lines.items() if len(staged) > 1 or not all(staged))

    async def backlogs(self) -> Sequence[Backlog]:
        self._database.begin()
        first: dict[tuple[str, Lane], tuple[Identity, FileRow]] = {}
        for key, row in self._database.files.items():
            line = (key.source_id, row.lane)
            if row.waits and (line not in first or _place((key, row)) < _place(first[line])):
                first[line] = (key, row)
        states = {source_id: self._database.sources.get(source_id, SourceRow()) for source_id, _ in first}
        return [
            Backlog(source_id, lane, row.landed, row.accepted, states[source_id].bytes_per_second)
            for (source_id, lane), (_, row) in sorted(first.items(), key=lambda item: item[0])
            if states[source_id].paused is None
        ]

    def _line(self, source_id: str, lane: Lane) -> list[tuple[Identity, FileRow]]:
        rows = [
            (key, row)
            for key, row in self._database.files.items()
            if key.source_id == source_id and row.lane == lane and row.waits
        ]
        return sorted(rows, key=_place)

    async def waiting(self, source_id: str, lane: Lane, limit: int) -> Sequence[WaitingFile]:
        self._database.begin()
        rows = self._line(source_id, lane)[:limit]
        return [WaitingFile(identity, row.uri, row.size, row.landed, row.estimate) for identity, row in rows]

    async def fail_waiting(self, refusals: Sequence[tuple[Identity, str]], epoch: int) -> int:
        self._database.begin()
        self._lease.check(ROLE, epoch)
        reasons = {key: reason for key, reason in refusals if key in self._database.files}
        waiting = [key for key in reasons if self._database.files[key].waits]
        for key in waiting:
            row = self._database.files[key]
            row.outcome, row.reason = "failed", reasons[key]
        return len(waiting)

    async def previews(self, source_ids: Collection[str], limit: int) -> Sequence[DuePreview]:
        self._database.begin()
        begun = {row.request_id for row in self._database.batches.values()}
        found = [
            DuePreview(of, source_id, ManifestFile(uri=row.uri, version=row.version, size=row.size or 0), asked.rows)
            for (of, source_id, _), row in self._database.request_files.items()
            if row.version is not None
            and source_id in source_ids
            and of not in begun
            and self._database.requests[of].end is None
            and isinstance(asked := self._database.requests[of].request.asked, PreviewAsked)
        ]
        return found[:limit]

    async def cut(self, batch: NewBatch, epoch: int) -> Submission | None:
        now = self._database.begin()
        self._lease.check(ROLE, epoch)
        files = self._database.files
        taken = [row for file in batch.files if (row := files.get(file.identity)) is not None and row.waits]
        if not taken and batch.request_id is None:
            return None
        if batch.request_id is not None and batch.request_id in {
            row.request_id for row in self._database.batches.values()
        }:
            return None
        for row in taken:
            row.batch_id = batch.id
        self._database.batches[batch.id] = BatchRow(
            batch.lane,
            min((row.landed for row in taken), default=now),
            batch.manifest,
            now,
            now,
            estimate=sum(row.estimate for row in taken),
            size_class=batch.size_class,
            request_id=batch.request_id,
        )
        kind: AttemptKind = "load" if batch.request_id is None else "preview"
        due = DueBatch(batch.id, 1, batch.lane, batch.manifest.source_id, batch.size_class, kind)
        return self._begin(due, batch.job_variables, epoch, now)

    async def begin_attempt(self, due: DueBatch, job_variables: JobVariables, epoch: int) -> Submission | None:
        now = self._database.begin()
        self._lease.check(ROLE, epoch)
        return self._begin(due, job_variables, epoch, now)

    async def save_run(self, submission: Submission, run_id: str) -> None:
        now = self._database.begin()
        row = self._database.attempts[submission.batch, submission.n]
        if row.run_id is None:
            row.run_id, row.submitted = run_id, now

    async def put_off(self, submission: Submission, trouble: str) -> None:
        now = self._database.begin()
        row = self._database.attempts[submission.batch, submission.n]
        if row.run_id is None:
            row.trouble, row.due = trouble, now + min(timedelta(seconds=2 ** min(row.tries, 16)), _LONGEST_PAUSE)
            row.tries += 1

    def _begin(self, due: DueBatch, job_variables: JobVariables, epoch: int, now: datetime) -> Submission | None:
        if self._database.open_batch(due.id) is None or (due.id, due.n) in self._database.attempts:
            return None
        row = AttemptRow(due.kind, due.lane, epoch, now, now, due.size_class, job_variables)
        self._database.attempts[due.id, due.n] = row
        return self._submission(due.id, due.n, row)

    def _submission(self, batch: str, n: int, row: AttemptRow) -> Submission:
        source_id = self._database.batches[batch].manifest.source_id
        return Submission(batch, n, row.lane, source_id, row.kind, row.job_variables)

    def _has_begun(self, batch: str) -> bool:
        return bool(self._database.attempts_of(batch))

    def _is_staged(self, batch: str) -> bool:
        n, newest = max(self._database.attempts_of(batch), key=lambda one: one[0])
        return newest.ended is None and (batch, n) in self._database.results

    def _has_no_open_attempt(self, batch: str) -> bool:
        return all(row.ended is not None for _, row in self._database.attempts_of(batch))

    def _last(self, batch: str) -> int:
        return max(n for n, _ in self._database.attempts_of(batch))


def _place(waiting: tuple[Identity, FileRow]) -> tuple[int, datetime, bytes]:
    key, row = waiting
    return row.rank, row.landed, key.object


def _kind(row: BatchRow) -> AttemptKind:
    if row.closing is not None:
        return "close"
    return "load" if row.request_id is None else "preview"
