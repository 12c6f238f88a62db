"""`arrival`: objects that are to be looked at, because the storage decides and not what was told of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple, TypeVar

import asyncpg

from router.adapters.postgres import files
from router.adapters.postgres.database import Connection, Database
from router.adapters.postgres.fragments import Statement, later
from router.adapters.postgres.publication import put
from router.notifications.record import Position
from router.ports.discovery import Looked, Measurement
from router.rules.identity import Identity
from router.rules.looking import (
    LONGEST_PAUSE,
    PAUSES,
    Look,
    NoAnswer,
    NotAsked,
    NotThere,
    There,
    another_version,
)
from router.rules.sizing import Place

A = TypeVar("A", There, NotThere, NoAnswer, NotAsked)
_LOOKS = "unnest($1::text[], $2::bytea[], $3::text[], $4::bigint[]"
_IS_SAME = "(a.source_id, a.object, a.version, a.serial) = (m.source_id, m.object, m.version, m.serial)"


@dataclass(frozen=True, slots=True)
class Told:
    """What is told of an object that is to be looked at; `removed` and `quiet` as in `rules.looking.Look`."""

    identity: Identity
    uri: str
    landed: datetime
    position: Position | None
    removed: bool = False
    quiet: bool = False


class PostgresDiscovery:
    """See `ports.discovery.DiscoveryLedger`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def due_looks(self, limit: int) -> Sequence[Look]:
        """Give out those that are due; until they are answered or a minute has passed nobody else gets them."""
        rows = await self._database.fetch(_GIVE, limit)
        return [_look(row) for row in rows]

    async def save_answers(self, measurements: Sequence[Measurement]) -> Looked:
        """Write in the order of locks: files, then arrivals.

        Of a look that is not the last only what is there counts.
        """
        async with self._database.transaction() as connection:
            lasting = await _lasting(connection, measurements)
            new = await _there(connection, _of(There, measurements))
            removed = await _not_there(connection, _of(NotThere, lasting))
            await _not_asked(connection, _of(NotAsked, lasting))
            await _put_off(connection, _of(NoAnswer, lasting))
        return Looked(new, removed)


class _Found(NamedTuple):
    """An object under the version that is there."""

    identity: Identity
    uri: str
    landed: datetime
    position: Position | None
    size: int
    place: Place


async def tell(connection: Connection, told: Sequence[Told]) -> int:
    """Look at all of these now, also at what is looked at already; says for how many that is new, and not quiet.

    Only the same record told once more changes nothing.
    """
    by_key: dict[Identity, Told] = {}
    for one in told:
        by_key[one.identity] = _both(by_key.get(one.identity, one), one)
    rows = [by_key[key] for key in sorted(by_key)]
    if not rows:
        return 0
    written = await connection.fetch(
        _TELL, *files.arrays(rows), [row.removed for row in rows], [row.quiet for row in rows]
    )
    return sum(row["is_new"] for row in written)


def _both(one: Told, other: Told) -> Told:
    last = max(one, other, key=lambda told: told.landed)
    return replace(last, removed=one.removed or other.removed, quiet=one.quiet and other.quiet)


async def follow(connection: Connection, batch: str) -> None:
    """Look at the objects of a batch that ends, of which another version was there, or none.

    An object that never stands still is looked at later each time, as `rules.looking.circle` says.
    """
    await connection.execute(_FOLLOW, batch, PAUSES[0], LONGEST_PAUSE)


async def cancel(
    connection: Connection, objects: Sequence[bytes], source_ids: Sequence[str], reason: str
) -> Sequence[asyncpg.Record]:
    """What is owed of these objects has failed; its rows. What has an outcome already is looked at all the same."""
    rows = await connection.fetch(_CANCEL, objects, source_ids)
    await files.insert_ended(connection, [(_look(row), "failed", reason) for row in rows])
    return rows


async def _lasting(connection: Connection, measurements: Sequence[Measurement]) -> Sequence[Measurement]:
    rows = await connection.fetch(_STILL_LAST, *_looks([one.look for one in measurements]))
    lasting = {Identity(*row) for row in rows}
    return [one for one in measurements if one.look.identity in lasting]


async def _there(connection: Connection, there: Sequence[tuple[Look, There]]) -> int:
    """Files under the version that is there. Two looks at one object may find one file: its last landing counts."""
    by_key: dict[Identity, _Found] = {}
    for look, found in there:
        key = look.identity._replace(version=found.version)
        landed = max(look.landed, by_key[key].landed) if key in by_key else look.landed
        by_key[key] = _Found(key, look.uri, landed, look.position, found.size, found.place)
    rows = [by_key[key] for key in sorted(by_key)]
    new = await files.insert(connection, rows)
    if new < len(rows):
        await files.land_again(connection, rows)
        new += await files.begin_anew(connection, rows)
    overwritten = [(look, found.version) for look, found in there if look.identity.version not in {"", found.version}]
    words = [(look, "superseded", another_version(look.identity.version, version)) for look, version in overwritten]
    await files.insert_ended(connection, words)
    await _end(connection, [look for look, _ in there])
    return new


async def _not_there(connection: Connection, misses: Sequence[tuple[Look, NotThere]]) -> int:
    """How those end that end, with all that waits of an object that is removed; and when to look again."""
    ends = [(look, miss.outcome, miss.reason or "") for look, miss in misses if miss.outcome is not None]
    removed = await files.remove_waiting(connection, [(look, why) for look, end, why in ends if end == "removed"])
    await files.insert_ended(connection, [end for end in ends if not end[0].quiet])
    await put(connection, [miss.letter for _, miss in misses if miss.letter is not None])
    again = [(look, miss.again) for look, miss in misses if miss.again is not None]
    await connection.execute(_LOOK_AGAIN, *_looks([look for look, _ in again]), [pause for _, pause in again])
    await _end(connection, [look for look, miss in misses if miss.again is None])
    return removed


async def _not_asked(connection: Connection, refusals: Sequence[tuple[Look, NotAsked]]) -> None:
    owed = [(look, "failed", refusal.reason) for look, refusal in refusals if not look.quiet]
    await files.insert_ended(connection, owed)
    await _end(connection, [look for look, _ in refusals])


async def _put_off(connection: Connection, troubled: Sequence[tuple[Look, NoAnswer]]) -> None:
    """Ask for later what the storage did not tell, later each time."""
    await connection.execute(
        _PUT_OFF, *_looks([look for look, _ in troubled]), [answer.trouble for _, answer in troubled], LONGEST_PAUSE
    )


async def _end(connection: Connection, looks: Sequence[Look]) -> None:
    """Not those that have been told of once more, or given to others, since they were given out."""
    await connection.execute(_END, *_looks(looks))


def _of(kind: type[A], measurements: Sequence[Measurement]) -> Sequence[tuple[Look, A]]:
    return [(one.look, one.answer) for one in measurements if isinstance(one.answer, kind)]


def _looks(looks: Sequence[Look]) -> tuple[list[str], list[bytes], list[str], list[int]]:
    return (*files.keys(looks), [look.serial for look in looks])


def _look(row: asyncpg.Record) -> Look:
    position = None if row["topic"] is None else Position(row["topic"], row["partition"], row["offset"])
    return Look(
        Identity(row["source_id"], row["object"], row["version"]),
        row["uri"],
        row["landed"],
        position,
        serial=row["serial"],
        misses=row["misses"],
        removed=row["removed"],
        quiet=row["quiet"],
    )


# What is sent to PostgreSQL.

# Objects to be looked at now; the same record told once more changes nothing.
_TELL = Statement(f"""
    INSERT INTO arrival AS a ({files.COLUMNS}, removed, quiet)
    SELECT * FROM {files.ROWS}, $9::boolean[], $10::boolean[])
    ON CONFLICT (source_id, object, version) DO UPDATE
    SET landed = greatest(a.landed, excluded.landed), due = now(), serial = nextval('look'), misses = 0,
        removed = a.removed OR excluded.removed, quiet = a.quiet AND excluded.quiet,
        topic = excluded.topic, "partition" = excluded."partition", "offset" = excluded."offset"
    WHERE excluded.removed > a.removed OR (a.topic, a."partition", a."offset")
          IS DISTINCT FROM (excluded.topic, excluded."partition", excluded."offset")
    RETURNING a.xmax = 0 AND NOT a.quiet AS is_new
""")

# The objects of a batch that ends of which another version was there, or none.
_FOLLOW = Statement(f"""
    INSERT INTO arrival AS a ({files.COLUMNS}, misses, due, quiet)
    SELECT f.source_id, f.object, '', f.uri, f.landed, f.topic, f."partition", f."offset",
           (f.outcome = 'missing')::int, now() + CASE f.outcome WHEN 'missing' THEN $2::interval
               ELSE least(interval '1 second' * (2 ^ least(c.times - 1, 16) - 1), $3::interval) END, true
    FROM file f CROSS JOIN LATERAL (
        SELECT sum(round) AS times FROM file o WHERE (o.source_id, o.object) = (f.source_id, f.object)
          AND o.outcome = 'superseded' AND o.accepted > now() - interval '1 day') c
    WHERE f.batch_id = $1 AND f.outcome IN ('missing', 'superseded')
    ORDER BY f.source_id COLLATE "C", f.object
    ON CONFLICT (source_id, object, version) DO UPDATE
    SET due = least(a.due, excluded.due), misses = least(a.misses, excluded.misses), serial = nextval('look')
""")

# Looks that are due, given away for a minute.
_GIVE = Statement("""
    UPDATE arrival a SET due = now() + interval '1 minute', tries = a.tries + 1, serial = nextval('look')
    FROM (SELECT source_id, object, version FROM arrival WHERE due <= now()
          ORDER BY due LIMIT $1 FOR UPDATE SKIP LOCKED) d
    WHERE (a.source_id, a.object, a.version) = (d.source_id, d.object, d.version) RETURNING a.*
""")

# What is owed of some objects is not looked at any more.
_CANCEL = Statement("DELETE FROM arrival WHERE object = ANY($1) AND source_id = ANY($2) AND NOT quiet RETURNING *")

# Which looks are still the last that were given out for their object.
_STILL_LAST = Statement(f"""
    SELECT a.source_id, a.object, a.version
    FROM arrival a JOIN {_LOOKS}) AS m (source_id, object, version, serial) ON {_IS_SAME}
""")

# When an object that was not there is looked at again.
_LOOK_AGAIN = Statement(f"""
    UPDATE arrival a SET misses = a.misses + 1, tries = 0, due = now() + m.again, removed = false,
        quiet = a.quiet OR a.removed, reason = NULL
    FROM {_LOOKS}, $5::interval[]) AS m (source_id, object, version, serial, again) WHERE {_IS_SAME}
""")

# What the storage did not tell is asked for later, longer each time.
_PUT_OFF = Statement(f"""
    UPDATE arrival a
    SET reason = m.reason, due = {later("1 second", "a.tries", "$6::interval")}
    FROM {_LOOKS}, $5::text[]) AS m (source_id, object, version, serial, reason) WHERE {_IS_SAME}
""")

# Looks that were answered, and not given out again since.
_END = Statement(f"""
    DELETE FROM arrival a USING {_LOOKS}) AS m (source_id, object, version, serial) WHERE {_IS_SAME}
""")
