"""`file` and `arrival` as intake records them."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import TypeAlias

import asyncpg

from router.adapters.postgres import discovery, files, traces
from router.adapters.postgres.database import Connection, Database
from router.adapters.postgres.discovery import Told
from router.adapters.postgres.fragments import WAITS, Statement
from router.adapters.postgres.publication import put
from router.ports.intake import Announced, Intake, Recorded
from router.rules.identity import Identity
from router.rules.looking import NOT_LOADED

_FILE_COLUMNS = [*files.COLUMNS.replace('"', "").split(", "), "size", "estimate", "lane"]

WriteFiles: TypeAlias = Callable[[Connection, Sequence[Announced]], Awaitable[int]]


class PostgresIntake:
    """See `ports.intake.IntakeLedger`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._copies = True

    async def record(self, intake: Intake) -> Recorded:
        """One statement per table. Files are copied, which costs the least, as long as none of a poll is known."""
        if self._copies:
            with suppress(asyncpg.UniqueViolationError):
                return await self._record(intake, _copy_files)
        recorded = await self._record(intake, files.insert)
        self._copies = recorded.files == len(intake.files)
        return recorded

    async def _record(self, intake: Intake, write_files: WriteFiles) -> Recorded:
        async with self._database.transaction() as connection:
            new = await write_files(connection, intake.files) if intake.files else 0
            ended: list[Told] = []
            if new < len(intake.files):
                await files.land_again(connection, intake.files)
                ended = await _ended(connection, intake.files)
            doubted = await _doubted(connection, intake)
            unmeasured = [Told(row.identity, row.uri, row.landed, row.position) for row in intake.unmeasured]
            to_measure = await discovery.tell(connection, [*unmeasured, *ended, *doubted])
            await traces.put(connection, intake.traces)
            await put(connection, intake.letters)
        return Recorded(new, to_measure, len({one.identity[:2] for one in doubted}))


async def _copy_files(connection: Connection, rows: Sequence[Announced]) -> int:
    """New files; raises UniqueViolationError when one of them is known."""
    await connection.copy_records_to_table("file", records=_file_rows(rows), columns=_FILE_COLUMNS)
    return len(rows)


def _file_rows(rows: Sequence[Announced]) -> list[tuple[object, ...]]:
    return [
        (source_id, object_, version, uri, landed, topic, partition, offset, size, estimated, lane)
        for (source_id, object_, version), uri, size, landed, (topic, partition, offset), place in rows
        for lane, _, estimated in (place or files.default_place(size),)
    ]


async def _ended(connection: Connection, rows: Sequence[Announced]) -> list[Told]:
    """The objects of which a version is told once more that had ended without a load: it may lie there again."""
    found = await connection.fetch(_ENDED_UNLOADED, *files.keys(rows), list(NOT_LOADED))
    ended = {Identity(*row) for row in found}
    return [_quiet(row) for row in rows if row.identity in ended]


async def _doubted(connection: Connection, intake: Intake) -> list[Told]:
    """The removed objects of which something is not loaded: what waits, and what is to be looked at."""
    if not intake.removed:
        return []
    by_object = {row.identity[:2]: row for row in intake.removed}
    found = await connection.fetch(
        _UNLOADED_OF_REMOVED, [source_id for source_id, _ in by_object], [object_ for _, object_ in by_object]
    )
    keys = {Identity(*row) for row in found} | {
        row.identity for row in intake.unmeasured if row.identity[:2] in by_object
    }
    return [_quiet(by_object[key[:2]]._replace(identity=key), removed=True) for key in keys]


def _quiet(row: Announced, *, removed: bool = False) -> Told:
    key = row.identity if removed else row.identity._replace(version="")
    return Told(key, row.uri, row.landed, row.position, removed=removed, quiet=True)


# What is sent to PostgreSQL.

# Which of some files had ended without a load.
_ENDED_UNLOADED = Statement("""
    SELECT f.source_id, f.object, f.version
    FROM unnest($1::text[], $2::bytea[], $3::text[]) AS n (source_id, object, version)
    JOIN file f USING (source_id, object, version) WHERE f.outcome = ANY($4)
""")

# What waits or is looked at of objects that were told to be removed.
_UNLOADED_OF_REMOVED = Statement(f"""
    SELECT DISTINCT r.source_id, r.object, o.version
    FROM unnest($1::text[], $2::bytea[]) AS r (source_id, object) CROSS JOIN LATERAL (
        SELECT '' AS version FROM (
            SELECT batch_id, outcome FROM file f WHERE (f.source_id, f.object) = (r.source_id, r.object)
            OFFSET 0) k  -- see `fragments.locked`: through its key, not through all that waits
        WHERE {WAITS}
        UNION SELECT version FROM arrival a WHERE (a.source_id, a.object) = (r.source_id, r.object)) o
""")
