"""Rows of `file` as they begin: how they are written by whomever, in the order in which everybody locks them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from router.adapters.postgres.database import Connection
from router.adapters.postgres.fragments import SAME, WAITS, Statement, locked
from router.notifications.record import Position
from router.rules.identity import Identity
from router.rules.looking import NOT_LOADED
from router.rules.sizing import Place

COLUMNS = 'source_id, object, version, uri, landed, topic, "partition", "offset"'
ROWS = "unnest($1::text[], $2::bytea[], $3::text[], $4::text[], $5::timestamptz[], $6::text[], $7::int[], $8::bigint[]"
# Which version of an object is the newest: not one of which the storage had another, and of event times the latest.
NEWEST = "version = '', outcome IS NOT DISTINCT FROM 'superseded', landed DESC, accepted DESC"
# What the commands below name, with what they say of it.
_LANDED = """
    unnest($1::text[], $2::bytea[], $3::text[], $4::timestamptz[]) AS t (source_id, object, version, landed)
"""
_SIZED = """
    unnest($1::text[], $2::bytea[], $3::text[], $4::timestamptz[], $5::bigint[], $6::bigint[], $7::text[])
        AS t (source_id, object, version, landed, size, estimate, lane)
"""
_REMOVED = """
    unnest($1::text[], $2::bytea[], $3::text[]) AS t (source_id, object, reason) CROSS JOIN LATERAL (
        SELECT version FROM file WHERE (source_id, object) = (t.source_id, t.object) OFFSET 0) v
"""
_REFUSED = """
    unnest($1::text[], $2::bytea[], $3::text[], $4::text[]) AS t (source_id, object, version, reason)
"""


class Told(Protocol):
    """What is told of an object; where from is None when a request asked for it."""

    @property
    def identity(self) -> Identity: ...
    @property
    def uri(self) -> str: ...
    @property
    def landed(self) -> datetime: ...
    @property
    def position(self) -> Position | None: ...


class Sized(Told, Protocol):
    """A file whose size is known, and where it waits."""

    @property
    def size(self) -> int | None: ...
    @property
    def place(self) -> Place | None: ...


def keys(rows: Sequence[Told]) -> tuple[list[str], list[bytes], list[str]]:
    return (
        [row.identity.source_id for row in rows],
        [row.identity.object for row in rows],
        [row.identity.version for row in rows],
    )


def arrays(rows: Sequence[Told]) -> tuple[Sequence[object], ...]:
    """Make the parameters of `ROWS`."""
    positions = [row.position for row in rows]
    return (
        *keys(rows),
        [row.uri for row in rows],
        [row.landed for row in rows],
        [None if position is None else position.topic for position in positions],
        [None if position is None else position.partition for position in positions],
        [None if position is None else position.offset for position in positions],
    )


def sizes(rows: Sequence[Sized]) -> tuple[list[int], list[int], list[str]]:
    places = [row.place or default_place(row.size) for row in rows]
    return [row.size or 0 for row in rows], [place.estimate for place in places], [place.lane for place in places]


def default_place(size: int | None) -> Place:
    return Place("default", 1, size or 0)


async def insert(connection: Connection, rows: Sequence[Sized]) -> int:
    """Those that are not known; says how many."""
    return count(await connection.execute(_INSERT, *arrays(rows), *sizes(rows)))


async def land_again(connection: Connection, rows: Sequence[Told]) -> None:
    """What is told of once more while it is open: the last landing counts.

    And what a request has found before an event told of it does not end with that request.
    """
    await connection.execute(_LAND_AGAIN, *keys(rows), [row.landed for row in rows])


async def begin_anew(connection: Connection, rows: Sequence[Sized]) -> int:
    """A new round for what had ended without a load, and lies there; says for how many."""
    return count(
        await connection.execute(_BEGIN_ANEW, *keys(rows), [row.landed for row in rows], *sizes(rows), list(NOT_LOADED))
    )


async def remove_waiting(connection: Connection, removals: Sequence[tuple[Told, str]]) -> int:
    """All that waits of these objects, each with the reason; says how many."""
    if not removals:
        return 0
    rows = [row for row, _ in removals]
    source_ids, objects, _ = keys(rows)
    return count(await connection.execute(_REMOVE_WAITING, source_ids, objects, [reason for _, reason in removals]))


async def fail_waiting(connection: Connection, failures: Sequence[tuple[Identity, str]]) -> int:
    """Those of these files that wait, each with the reason; says how many."""
    return count(
        await connection.execute(
            _FAIL_WAITING,
            [key.source_id for key, _ in failures],
            [key.object for key, _ in failures],
            [key.version for key, _ in failures],
            [reason for _, reason in failures],
        )
    )


async def insert_ended(connection: Connection, ends: Sequence[tuple[Told, str, str]]) -> None:
    """What ends, with its outcome and reason, without ever having waited.

    What had ended so before has its last reason; all else that is known stays as it is.
    """
    if not ends:
        return
    await connection.execute(
        _INSERT_ENDED,
        *arrays([row for row, _, _ in ends]),
        [outcome for _, outcome, _ in ends],
        [reason for _, _, reason in ends],
    )


def count(tag: str) -> int:
    """The number of rows a command says it has written."""
    return int(tag.rpartition(" ")[2])


# What is sent to PostgreSQL.

# New files; those that are known stay as they are.
_INSERT = Statement(f"""
    INSERT INTO file ({COLUMNS}, size, estimate, lane)
    SELECT * FROM {ROWS}, $9::bigint[], $10::bigint[], $11::text[]) ON CONFLICT DO NOTHING
""")

# The last landing of what is open; it does not end with a request any more.
_LAND_AGAIN = Statement(f"""
    UPDATE file f SET landed = greatest(f.landed, n.landed), request_id = NULL
    FROM ({locked(_LANDED, "k.outcome IS NULL AND (k.landed < n.landed OR k.request_id IS NOT NULL)")}) n
    WHERE {SAME}
""")

# A new round for what had ended without a load.
_BEGIN_ANEW = Statement(f"""
    UPDATE file f SET landed = greatest(f.landed, n.landed), size = n.size, estimate = n.estimate,
        lane = n.lane, rank = 1, round = f.round + 1, accepted = now(), batch_id = NULL, request_id = NULL,
        outcome = NULL, rows = NULL, reason = NULL
    FROM ({locked(_SIZED, "k.outcome = ANY($8)")}) n
    WHERE {SAME}
""")

# All that waits of objects that were removed.
_REMOVE_WAITING = Statement(f"""
    UPDATE file f SET outcome = 'removed', reason = n.reason FROM ({locked(_REMOVED, WAITS)}) n
    WHERE {SAME}
""")

# Waiting files end as failed, each for its reason.
_FAIL_WAITING = Statement(f"""
    UPDATE file f SET outcome = 'failed', reason = n.reason FROM ({locked(_REFUSED, WAITS)}) n
    WHERE {SAME}
""")

# What ends without ever having waited; what had ended so has its last reason.
_INSERT_ENDED = Statement(f"""
    INSERT INTO file AS f ({COLUMNS}, outcome, reason, size)
    SELECT *, 0 FROM {ROWS}, $9::text[], $10::text[])
    ON CONFLICT (source_id, object, version) DO UPDATE
    SET landed = greatest(f.landed, excluded.landed), accepted = now(), outcome = excluded.outcome,
        reason = excluded.reason
    WHERE f.batch_id IS NULL AND f.outcome IS NOT NULL
""")
