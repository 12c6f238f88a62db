"""The ledger under test, in memory or in PostgreSQL, and what a test sees and does of it besides the ports.

A run's side (`claim`, `stage`, `publish`, `close`, `give_up`) is the flow's own ledger.
"""

from asyncio import to_thread
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from flows.loading import errors as flow_errors
from flows.loading import ledger as flow_ledger
from router.adapters.postgres.database import Database
from router.adapters.postgres.discovery import PostgresDiscovery
from router.adapters.postgres.intake import PostgresIntake
from router.adapters.postgres.lease import PostgresLease
from router.adapters.postgres.publication import PostgresPublication
from router.adapters.postgres.requests.ledger import PostgresRequests
from router.adapters.postgres.scheduling import PostgresScheduling
from router.adapters.postgres.settlement import PostgresSettlement
from router.errors import Transient
from router.ports.discovery import DiscoveryLedger
from router.ports.intake import IntakeLedger
from router.ports.publication import PublicationLedger
from router.ports.requests import RequestLedger
from router.ports.scheduling import SchedulingLedger
from router.ports.settlement import SettlementLedger
from schemas.config.lanes import Lane
from schemas.report import Cause, Closed, Preview, Report, Target
from tests.builders import NOON, closed
from tests.fakes.clock import FakeClock
from tests.fakes.database import FakeDatabase, SourceRow
from tests.fakes.discovery import FakeDiscovery
from tests.fakes.intake import FakeIntake
from tests.fakes.lease import FakeLease
from tests.fakes.publication import FakePublication
from tests.fakes.requests import FakeRequests
from tests.fakes.results import Claimed, FakeResults, NotWanted
from tests.fakes.scheduling import FakeScheduling
from tests.fakes.settlement import FakeSettlement

TABLES = (
    "arrival, file, batch, attempt, result, outbox, lease, source_state, request, request_file, breaker, file_trace"
)


@dataclass(frozen=True, slots=True)
class SeenFile:
    """What stands in `file` of one identity."""

    source_id: str
    uri: str
    version: str
    size: int
    landed: datetime
    round: int
    batch_id: str | None
    outcome: str | None
    rows: int | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class SeenBatch:
    """What stands in `batch` of one id."""

    closing: str | None
    outcome: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class SeenPlace:
    """Where a file waits, or waited, and the request that opened its round."""

    uri: str
    lane: Lane
    rank: int
    request_id: str | None


@dataclass(frozen=True, slots=True)
class SeenRequest:
    """What stands in `request` of one id."""

    is_listed: bool
    trouble: str | None
    given_up: str | None
    outcome: str | None
    reason: str | None


class ReleasableLease(Protocol):
    """A router's lease, which it gives back when it stops."""

    async def release(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Router:
    """What one router asks of the ledger under its own lease."""

    scheduling: SchedulingLedger
    publication: PublicationLedger
    lease: ReleasableLease


class Ledger(Protocol):
    """One of the two."""

    @property
    def intake(self) -> IntakeLedger: ...
    @property
    def discovery(self) -> DiscoveryLedger: ...
    @property
    def settlement(self) -> SettlementLedger: ...
    @property
    def requests(self) -> RequestLedger: ...

    def router(self, holder: str) -> Router: ...
    async def pass_time(self, seconds: float) -> None: ...
    async def now(self) -> datetime: ...
    async def files(self) -> Sequence[SeenFile]: ...
    async def places(self) -> Sequence[SeenPlace]: ...
    async def batch(self, batch: str) -> SeenBatch | None: ...
    async def request(self, request_id: str) -> SeenRequest | None: ...
    async def pause(self, source_id: str) -> None: ...
    async def resume(self, source_id: str) -> None: ...
    async def claim(self, batch: str, n: int, run: str) -> bool: ...
    async def touch(self, batch: str, n: int) -> bool: ...
    async def stage(self, batch: str, n: int, report: Report) -> bool: ...
    async def publish(self, batch: str, n: int, report: Report) -> None: ...
    async def close(self, batch: str, n: int, report: Closed) -> None: ...
    async def preview(self, batch: str, n: int, preview: Preview) -> None: ...
    async def give_up(self, batch: str, n: int, cause: Cause, reason: str, target: Target | None = None) -> None: ...


class FakeLedger:
    """In memory."""

    def __init__(self) -> None:
        self._clock = FakeClock(NOON)
        self._database = FakeDatabase(self._clock)
        self._results = FakeResults(self._database)
        self._claims: dict[tuple[str, int], Claimed] = {}
        self.intake = FakeIntake(self._database)
        self.discovery = FakeDiscovery(self._database)
        self.settlement = FakeSettlement(self._database)
        self.requests = FakeRequests(self._database)

    def router(self, holder: str) -> Router:
        lease = FakeLease(self._database, holder)
        return Router(FakeScheduling(self._database, lease), FakePublication(self._database, lease), lease)

    async def pass_time(self, seconds: float) -> None:
        self._clock.pass_time(timedelta(seconds=seconds))

    async def now(self) -> datetime:
        return self._clock.now()

    async def files(self) -> Sequence[SeenFile]:
        return [
            SeenFile(
                key.source_id,
                row.uri,
                key.version,
                row.size,
                row.landed,
                row.round,
                row.batch_id,
                row.outcome,
                row.rows,
                row.reason,
            )
            for key, row in sorted(self._database.files.items(), key=lambda item: (item[1].uri, item[0]))
        ]

    async def places(self) -> Sequence[SeenPlace]:
        rows = sorted(self._database.files.items(), key=lambda item: (item[1].uri, item[0]))
        return [SeenPlace(row.uri, row.lane, row.rank, row.request_id) for _, row in rows]

    async def batch(self, batch: str) -> SeenBatch | None:
        row = self._database.batches.get(batch)
        return None if row is None else SeenBatch(row.closing, row.outcome, row.reason)

    async def request(self, request_id: str) -> SeenRequest | None:
        row = self._database.requests.get(request_id)
        if row is None:
            return None
        outcome, reason = (None, None) if row.end is None else (row.end.outcome, row.end.reason)
        return SeenRequest(row.listed is not None, row.trouble, row.given_up, outcome, reason)

    async def pause(self, source_id: str) -> None:
        self._database.sources.setdefault(source_id, SourceRow()).paused = self._clock.now()

    async def resume(self, source_id: str) -> None:
        self._database.sources[source_id].paused = None

    async def claim(self, batch: str, n: int, run: str) -> bool:
        try:
            claimed = await self._results.claim(batch, n, run)
        except Transient:
            return False
        if claimed is not None:
            self._claims[batch, n] = claimed
        return claimed is not None

    async def touch(self, batch: str, n: int) -> bool:
        return await self._results.touch(self._claims[batch, n])

    async def stage(self, batch: str, n: int, report: Report) -> bool:
        try:
            await self._results.stage(self._claims[batch, n], 1, report)
        except NotWanted:
            return False
        return True

    async def publish(self, batch: str, n: int, report: Report) -> None:
        await self._results.publish(self._claims[batch, n], report)

    async def close(self, batch: str, n: int, report: Closed) -> None:
        await self._results.closed(self._claims[batch, n], report)

    async def preview(self, batch: str, n: int, preview: Preview) -> None:
        await self._results.previewed(self._claims[batch, n], preview)

    async def give_up(self, batch: str, n: int, cause: Cause, reason: str, target: Target | None = None) -> None:
        await self._results.failed(self._claims[batch, n], cause, reason, target)


class RealLedger:
    """In PostgreSQL. Time passes by moving what stands in the tables back."""

    def __init__(self, database: Database, url: str) -> None:
        self._database = database
        self._run = flow_ledger.Ledger(url)
        self._claims: dict[tuple[str, int], flow_ledger.Claimed] = {}
        self.intake = PostgresIntake(database)
        self.discovery = PostgresDiscovery(database)
        self.settlement = PostgresSettlement(database)
        self.requests = PostgresRequests(database)

    def router(self, holder: str) -> Router:
        lease = PostgresLease(self._database, holder)
        return Router(PostgresScheduling(self._database, lease), PostgresPublication(self._database, lease), lease)

    async def pass_time(self, seconds: float) -> None:
        span = timedelta(seconds=seconds)
        await self._execute("UPDATE arrival SET due = due - $1::interval", span)
        await self._execute("UPDATE batch SET due = due - $1::interval", span)
        await self._execute(
            """
            UPDATE attempt SET created = created - i, due = due - i, submitted = submitted - i,
                claimed = claimed - i, touched = touched - i
            FROM (SELECT $1::interval) AS s (i)
            """,
            span,
        )
        await self._execute("UPDATE breaker SET until = until - $1::interval", span)
        await self._execute("UPDATE lease SET expires = expires - $1::interval", span)
        await self._execute("UPDATE outbox SET set_aside = set_aside - $1::interval", span)
        await self._execute("UPDATE file SET accepted = accepted - $1::interval", span)
        await self._execute(
            """
            UPDATE request
            SET due = due - i, answer_due = answer_due - i, accepted = accepted - i, deadline = deadline - i
            FROM (SELECT $1::interval) AS s (i)
            """,
            span,
        )

    async def now(self) -> datetime:
        async with self._database.transaction() as connection:
            now: datetime = await connection.fetchval("SELECT now()")
        return now

    async def files(self) -> Sequence[SeenFile]:
        columns = "source_id, uri, version, size, landed, round, batch_id, outcome, rows, reason"
        async with self._database.transaction() as connection:
            rows = await connection.fetch(
                f"SELECT {columns} FROM file ORDER BY uri, source_id, object, version"  # noqa: S608 - the names above
            )
        return [SeenFile(**dict(row)) for row in rows]

    async def places(self) -> Sequence[SeenPlace]:
        async with self._database.transaction() as connection:
            rows = await connection.fetch(
                "SELECT uri, lane, rank, request_id FROM file ORDER BY uri, source_id, object, version"
            )
        return [SeenPlace(**dict(row)) for row in rows]

    async def request(self, request_id: str) -> SeenRequest | None:
        async with self._database.transaction() as connection:
            row = await connection.fetchrow(
                """
                SELECT listed IS NOT NULL AS is_listed, trouble, given_up, outcome, reason FROM request WHERE id = $1
                """,
                request_id,
            )
        return None if row is None else SeenRequest(**dict(row))

    async def pause(self, source_id: str) -> None:
        await self._execute(
            """
            INSERT INTO source_state (source_id, paused) VALUES ($1, now())
            ON CONFLICT (source_id) DO UPDATE SET paused = now()
            """,
            source_id,
        )

    async def resume(self, source_id: str) -> None:
        await self._execute("UPDATE source_state SET paused = NULL WHERE source_id = $1", source_id)

    async def batch(self, batch: str) -> SeenBatch | None:
        async with self._database.transaction() as connection:
            row = await connection.fetchrow("SELECT closing, outcome, reason FROM batch WHERE id = $1", batch)
        return None if row is None else SeenBatch(**dict(row))

    async def claim(self, batch: str, n: int, run: str) -> bool:
        try:
            claimed = await to_thread(self._run.claim, batch, n, run)
        except flow_errors.Infrastructure:
            return False
        if claimed is not None:
            self._claims[batch, n] = claimed
        return claimed is not None

    async def touch(self, batch: str, n: int) -> bool:
        return await to_thread(self._run.touch, self._claims[batch, n])

    async def stage(self, batch: str, n: int, report: Report) -> bool:
        try:
            await to_thread(self._run.stage, self._claims[batch, n], 1, report)
        except flow_errors.NotWanted:
            return False
        return True

    async def publish(self, batch: str, n: int, report: Report) -> None:
        await to_thread(self._run.publish, self._claims[batch, n], report)

    async def close(self, batch: str, n: int, report: Closed) -> None:
        await to_thread(self._run.closed, self._claims[batch, n], report)

    async def preview(self, batch: str, n: int, preview: Preview) -> None:
        await to_thread(self._run.previewed, self._claims[batch, n], preview)

    async def give_up(self, batch: str, n: int, cause: Cause, reason: str, target: Target | None = None) -> None:
        await to_thread(self._run.failed, self._claims[batch, n], cause, reason, target)

    def claimed(self, batch: str, n: int) -> flow_ledger.Claimed:
        """What the run knows."""
        return self._claims[batch, n]

    def traced(self, batch: str, n: int) -> Sequence[flow_ledger.Traced]:
        """What the run is told of its files' traces."""
        return self._run.traced(self._claims[batch, n])

    async def empty(self) -> None:
        """Nothing of an earlier test."""
        await self._execute(f"TRUNCATE {TABLES} RESTART IDENTITY CASCADE")

    async def _execute(self, query: str, *arguments: object) -> str:
        async with self._database.transaction() as connection:
            return await connection.execute(query, *arguments)


async def end_of_close(ledger: Ledger, batch: str, n: int, run: str, report: Closed | None = None) -> None:
    """A run claims and closes its batch."""
    assert await ledger.claim(batch, n, run)
    await ledger.close(batch, n, report or closed())
