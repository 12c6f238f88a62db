"""`file` and `arrival`: what intake records and discovery measures."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TypeAlias

import asyncpg

from router.adapters.postgres.database import LOCKED, Connection, Database
from router.adapters.postgres.outbox import put
from router.notifications.record import Position
from router.ports import Announced, Intake, Measurement, Recorded
from router.rules.identity import Identity
from router.rules.sizing import Place

_COLUMNS = 'source_id, object, version, uri, landed, topic, "partition", "offset"'
_ROWS = "unnest($1::text[], $2::bytea[], $3::text[], $4::text[], $5::timestamptz[], $6::text[], $7::int[], $8::bigint[]"
_FILE_COLUMNS = [*_COLUMNS.replace('"', "").split(", "), "size", "estimate", "lane"]
_LONGEST_PAUSE = timedelta(minutes=10)

WriteFiles: TypeAlias = Callable[[Connection, Sequence[Announced]], Awaitable[int]]


class PostgresArrivals:
    """See `ports.ArrivalLedger`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._copies = True

    async def record(self, intake: Intake) -> Recorded:
        """One statement per table. Files are copied, which costs the least, as long as none of a poll is known."""
        if self._copies:
            with suppress(asyncpg.UniqueViolationError):
                return await self._record(intake, _copy_files)
        recorded = await self._record(intake, _insert_files)
        self._copies = recorded.files == len(intake.files)
        return recorded

    async def _record(self, intake: Intake, write_files: WriteFiles) -> Recorded:
        async with self._database.transaction() as connection:
            files = await write_files(connection, intake.files)
            unmeasured = await _insert_arrivals(connection, intake.unmeasured)
            removed = await _remove(connection, intake.removed)
            await put(connection, intake.letters)
        return Recorded(files, unmeasured, removed)

    async def to_measure(self, limit: int) -> Sequence[Announced]:
        """Due arrivals; until they are measured or a minute has passed nobody else gets them."""
        async with self._database.transaction() as connection:
            rows = await connection.fetch(
                f"""
                UPDATE arrival a SET due = now() + interval '1 minute', tries = a.tries + 1
                FROM (SELECT source_id, object, version FROM arrival WHERE due <= now()
                      ORDER BY due LIMIT $1 FOR UPDATE SKIP LOCKED) d
                WHERE (a.source_id, a.object, a.version) = (d.source_id, d.object, d.version)
                RETURNING {", ".join(f"a.{column}" for column in _COLUMNS.split(", "))}
                """,  # noqa: S608 - the columns are a constant of this module
                limit,
            )
        return [_announced(row) for row in rows]

    async def measured(self, measurements: Sequence[Measurement]) -> int:
        """Files for what is there, outcomes for what is not, another try for what did not answer."""
        found = [measurement for measurement in measurements if measurement.found is not None]
        gone = [measurement for measurement in measurements if measurement.letter is not None]
        async with self._database.transaction() as connection:
            new = await _insert_files(connection, _as_measured(found))
            await _insert_ended(connection, [one.arrival for one in found if _is_overwritten(one)], "superseded")
            await _insert_ended(connection, [one.arrival for one in gone], "missing")
            await put(connection, [one.letter for one in gone if one.letter is not None])
            await _delete_arrivals(connection, [one.arrival for one in (*found, *gone)])
            await _put_off(connection, [one for one in measurements if one.trouble is not None])
        return new


def _announced(row: asyncpg.Record) -> Announced:
    return Announced(
        Identity(row["source_id"], row["object"], row["version"]),
        row["uri"],
        None,
        row["landed"],
        Position(row["topic"], row["partition"], row["offset"]),
    )


def _as_measured(found: Sequence[Measurement]) -> list[Announced]:
    """The arrivals under the version that was found, in key order."""
    files: dict[Identity, Announced] = {}
    for one in found:
        if one.found is not None:
            old = one.arrival
            identity = Identity(old.identity.source_id, old.identity.object, one.found.version)
            file = Announced(identity, old.uri, one.found.size, old.landed, old.position, one.place)
            files.setdefault(identity, file)
    return [files[identity] for identity in sorted(files)]


def _is_overwritten(one: Measurement) -> bool:
    told = one.arrival.identity.version
    return one.found is not None and told not in {"", one.found.version}


def _landings(rows: Sequence[Announced]) -> tuple[list[str], list[bytes], list[str], list[datetime]]:
    return (
        [row.identity.source_id for row in rows],
        [row.identity.object for row in rows],
        [row.identity.version for row in rows],
        [row.landed for row in rows],
    )


def _arrays(rows: Sequence[Announced]) -> list[list[str] | list[bytes] | list[datetime] | list[int]]:
    source_ids, objects, versions, landed = _landings(rows)
    return [
        source_ids,
        objects,
        versions,
        [row.uri for row in rows],
        landed,
        [row.position.topic for row in rows],
        [row.position.partition for row in rows],
        [row.position.offset for row in rows],
    ]


def _sizes(rows: Sequence[Announced]) -> tuple[list[int], list[int], list[str]]:
    places = [row.place or _default_place(row.size) for row in rows]
    return [row.size or 0 for row in rows], [place.estimate for place in places], [place.lane for place in places]


def _default_place(size: int | None) -> Place:
    return Place("default", 1, size or 0)


async def _copy_files(connection: Connection, rows: Sequence[Announced]) -> int:
    """New files; raises UniqueViolationError when one of them is known."""
    if rows:
        await connection.copy_records_to_table("file", records=_file_rows(rows), columns=_FILE_COLUMNS)
    return len(rows)


def _file_rows(rows: Sequence[Announced]) -> list[tuple[object, ...]]:
    return [
        (source_id, object_, version, uri, landed, topic, partition, offset, size, estimated, lane)
        for (source_id, object_, version), uri, size, landed, (topic, partition, offset), place in rows
        for lane, _, estimated in (place or _default_place(size),)
    ]


async def _insert_files(connection: Connection, rows: Sequence[Announced]) -> int:
    """New files, and those that were not there when they were looked for and have landed again: a new round."""
    if not rows:
        return 0
    inserted = _count(
        await connection.execute(
            f"""
            INSERT INTO file ({_COLUMNS}, size, estimate, lane)
            SELECT * FROM {_ROWS}, $9::bigint[], $10::bigint[], $11::text[]) ON CONFLICT DO NOTHING
            """,  # noqa: S608
            *_arrays(rows),
            *_sizes(rows),
        )
    )
    return inserted if inserted == len(rows) else inserted + await _land_again(connection, rows)


async def _land_again(connection: Connection, rows: Sequence[Announced]) -> int:
    """Remember later landings of known files; says for how many of them a new round begins.

    While a file waits, a removal from before its last landing must not cancel it. While it is in flight its load may
    have looked before it landed again: `again` says so to settlement.
    """
    changed = await connection.fetch(
        """
        UPDATE file f SET landed = n.landed, size = n.size,
            again = f.batch_id IS NOT NULL AND f.outcome IS NULL,
            round = f.round + (f.outcome IS NOT NULL)::int,
            accepted = CASE WHEN f.outcome IS NULL THEN f.accepted ELSE now() END,
            batch_id = CASE WHEN f.outcome IS NULL THEN f.batch_id END,
            estimate = CASE WHEN f.outcome IS NULL THEN f.estimate ELSE n.estimate END,
            lane = CASE WHEN f.outcome IS NULL THEN f.lane ELSE n.lane END,
            rank = CASE WHEN f.outcome IS NULL THEN f.rank ELSE 1 END,
            request_id = NULL, outcome = NULL, reason = NULL
        FROM unnest($1::text[], $2::bytea[], $3::text[], $4::timestamptz[], $5::bigint[], $6::bigint[], $7::text[])
                 AS n (source_id, object, version, landed, size, estimate, lane),
             file old
        WHERE (f.source_id, f.object, f.version) = (n.source_id, n.object, n.version)
          AND (old.source_id, old.object, old.version) = (n.source_id, n.object, n.version)
          AND f.landed < n.landed AND (f.outcome IS NULL OR f.outcome IN ('removed', 'missing', 'superseded'))
        RETURNING old.outcome IS NOT NULL AS new_round
        """,
        *_landings(rows),
        *_sizes(rows),
    )
    await _keep(connection, rows)
    return sum(row["new_round"] for row in changed)


async def _keep(connection: Connection, rows: Sequence[Announced]) -> None:
    """What a request has found before an event told of it does not end with that request."""
    await connection.execute(
        f"""
        UPDATE file f SET request_id = NULL
        FROM (SELECT k.source_id, k.object, k.version
              FROM unnest($1::text[], $2::bytea[], $3::text[]) AS n (source_id, object, version)
              JOIN file k USING (source_id, object, version)
              WHERE k.request_id IS NOT NULL AND k.outcome IS NULL {LOCKED}) k
        WHERE (f.source_id, f.object, f.version) = (k.source_id, k.object, k.version) AND f.outcome IS NULL
        """,  # noqa: S608 - a constant of ours
        *_landings(rows)[:3],
    )


async def _insert_arrivals(connection: Connection, rows: Sequence[Announced]) -> int:
    """A later landing is measured anew, also when an earlier one is being measured just now."""
    if not rows:
        return 0
    return _count(
        await connection.execute(
            f"""
            INSERT INTO arrival AS a ({_COLUMNS}) SELECT * FROM {_ROWS})
            ON CONFLICT (source_id, object, version) DO UPDATE
            SET landed = excluded.landed, due = now(), topic = excluded.topic,
                "partition" = excluded."partition", "offset" = excluded."offset"
            WHERE a.landed < excluded.landed
            """,  # noqa: S608
            *_arrays(rows),
        )
    )


async def _insert_ended(connection: Connection, rows: Sequence[Announced], outcome: str) -> None:
    if rows:
        await connection.execute(
            f"""
            INSERT INTO file ({_COLUMNS}, size, outcome, reason)
            SELECT *, 0, $9, $10 FROM {_ROWS}) ON CONFLICT DO NOTHING
            """,  # noqa: S608
            *_arrays(rows),
            outcome,
            f"{outcome} before it was measured",
        )


async def _remove(connection: Connection, rows: Sequence[Announced]) -> int:
    """A removal cancels a load that has not begun, and what is not measured yet."""
    if not rows:
        return 0
    source_ids, objects, _, landed = _landings(rows)
    arrays = (source_ids, objects, landed)
    removals = "unnest($1::text[], $2::bytea[], $3::timestamptz[]) AS r (source_id, object, landed)"
    same = "(f.source_id, f.object) = (r.source_id, r.object) AND f.landed <= r.landed"
    unmeasured = await connection.fetch(
        f"DELETE FROM arrival f USING {removals} WHERE {same} RETURNING f.*",  # noqa: S608
        *arrays,
    )
    await _insert_ended(connection, [_announced(row) for row in unmeasured], "removed")
    return len(unmeasured) + _count(
        await connection.execute(
            f"UPDATE file f SET outcome = 'removed', reason = 'removed before its load began' FROM {removals} "  # noqa: S608
            f"WHERE {same} AND f.batch_id IS NULL AND f.outcome IS NULL",
            *arrays,
        )
    )


async def _delete_arrivals(connection: Connection, rows: Sequence[Announced]) -> None:
    """Not those that have landed again since they were given out to be measured."""
    await connection.execute(
        """
        DELETE FROM arrival a
        USING unnest($1::text[], $2::bytea[], $3::text[], $4::timestamptz[]) AS m (source_id, object, version, landed)
        WHERE (a.source_id, a.object, a.version, a.landed) = (m.source_id, m.object, m.version, m.landed)
        """,
        *_landings(rows),
    )


async def _put_off(connection: Connection, troubled: Sequence[Measurement]) -> None:
    if troubled:
        await connection.execute(
            """
            UPDATE arrival a
            SET reason = t.reason, due = now() + least(interval '1 second' * 2 ^ least(a.tries, 16), $5)
            FROM unnest($1::text[], $2::bytea[], $3::text[], $4::text[]) AS t (source_id, object, version, reason)
            WHERE (a.source_id, a.object, a.version) = (t.source_id, t.object, t.version)
            """,
            *_arrays([one.arrival for one in troubled])[:3],
            [one.trouble for one in troubled],
            _LONGEST_PAUSE,
        )


def _count(tag: str) -> int:
    return int(tag.rpartition(" ")[2])
