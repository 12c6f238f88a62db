"""The ledger as a run sees it, as `flows.loading.ledger` keeps it: the claim, the fence, and how the attempt ended."""

from dataclasses import dataclass
from datetime import timedelta

from router.errors import Transient
from schemas.config.lanes import Lane
from schemas.manifest import AttemptKind, Manifest, ManifestFile
from schemas.report import Cause, Closed, Preview, Report, Target
from tests.fakes.database import AttemptRow, FakeDatabase, ResultRow

HEARD_OF = timedelta(minutes=1)
TWICE = "its run has begun a second time, in another process"


class NotWanted(Exception):
    """The batch has ended or is being closed, or the attempt is another's by now: nothing is published."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """An attempt that is this run's alone. `closing` says why its batch is closed, None when it is to be loaded.

    `splitting`: it is closed only for its files to go on in two halves.
    """

    batch: str
    attempt: int
    run_id: str
    kind: AttemptKind
    lane: Lane
    manifest: Manifest
    files: tuple[ManifestFile, ...]
    closing: str | None
    splitting: bool


class FakeResults:
    """`claims` has every claim that was ever granted: batch, attempt, run."""

    def __init__(self, database: FakeDatabase) -> None:
        self._database = database
        self.claims: list[tuple[str, int, str]] = []

    async def claim(self, batch: str, attempt: int, run_id: str) -> Claimed | None:
        """Take the attempt for this process of the run, or None when nobody wants it any more.

        Raises Transient when another process of the run has it.
        """
        now = self._database.begin()
        row, found = self._database.open_batch(batch), self._open_attempt(batch, attempt)
        if row is None or found is None:
            return None
        if found.claimed_by is not None:
            self._give_way(batch, attempt, run_id)
            return None
        found.claimed_by, found.claimed, found.touched = run_id, now, now
        self.claims.append((batch, attempt, run_id))
        files = [
            ManifestFile(uri=file.uri, version=key.version, size=file.size)
            for key, file in self._database.files_of(batch)
        ]
        return Claimed(
            batch, attempt, run_id, found.kind, found.lane, row.manifest, tuple(files), row.closing, row.splitting
        )

    async def touch(self, claimed: Claimed) -> bool:
        """Say that the run lives; False when nobody wants it any more."""
        now = self._database.begin()
        found = self._database.attempts[claimed.batch, claimed.attempt]
        if found.ended is None:
            found.touched = now
        return found.ended is None

    def _give_way(self, batch: str, n: int, run_id: str) -> None:
        found, result = self._database.attempts[batch, n], self._database.results.get((batch, n))
        heard = found.touched is not None and self._database.begin() - found.touched < HEARD_OF
        if found.claimed_by != run_id or heard or (result is not None and result.state != "staged"):
            return
        found.cause, found.reason = found.cause or "infrastructure", found.reason or TWICE
        raise Transient(TWICE)

    async def stage(self, claimed: Claimed, snapshot_id: int, report: Report) -> None:
        """The fence: record the staged snapshot, after which it may be published. Raises NotWanted."""
        self._database.begin()
        self._pass_fence(claimed)
        self._database.results[claimed.batch, claimed.attempt] = ResultRow("staged", report, snapshot_id)

    async def publish(self, claimed: Claimed, report: Report) -> None:
        """The batch is in the table, by whichever attempt."""
        self._end(claimed, ResultRow("published", report))

    async def closed(self, claimed: Claimed, closed: Closed) -> None:
        """An empty snapshot stands under the batch's id: it can never load."""
        self._end(claimed, ResultRow("closed", closed))

    async def previewed(self, claimed: Claimed, preview: Preview) -> None:
        """What a preview saw."""
        self._end(claimed, ResultRow("previewed", preview))

    async def failed(self, claimed: Claimed, cause: Cause, reason: str, target: Target | None = None) -> None:
        """The run's own word on why it fails."""
        self._database.begin()
        found = self._open_attempt(claimed.batch, claimed.attempt)
        if found is not None and found.claimed_by == claimed.run_id:
            found.cause, found.reason, found.target = cause, reason, target

    async def report_of(self, batch: str, snapshot_id: int) -> Report | None:
        """What an attempt staged as this snapshot."""
        self._database.begin()
        rows = [row for (of, _), row in self._database.results.items() if of == batch]
        reports = [row.report for row in rows if row.snapshot_id == snapshot_id]
        return next((report for report in reports if isinstance(report, Report)), None)

    def _open_attempt(self, batch: str, n: int) -> AttemptRow | None:
        """The newest attempt of the batch, if that is this one, not ended, and not a load of a closing batch."""
        row, found = self._database.open_batch(batch), self._database.attempts.get((batch, n))
        if row is None or found is None or found.ended is not None:
            return None
        is_newest = n == max(number for number, _ in self._database.attempts_of(batch))
        return found if is_newest and (found.kind == "close" or row.closing is None) else None

    def _pass_fence(self, claimed: Claimed) -> None:
        found = self._open_attempt(claimed.batch, claimed.attempt)
        is_closed = any(row.state == "closed" for (of, _), row in self._database.results.items() if of == claimed.batch)
        if found is None or found.claimed_by != claimed.run_id or is_closed:
            raise NotWanted(f"attempt {claimed.attempt} of {claimed.batch} is over: nothing is published")

    def _end(self, claimed: Claimed, row: ResultRow) -> None:
        now = self._database.begin()
        before = self._database.results.get((claimed.batch, claimed.attempt))
        if before is None or before.state == "staged":
            row.snapshot_id, row.ended = None if before is None else before.snapshot_id, now
            self._database.results[claimed.batch, claimed.attempt] = row
