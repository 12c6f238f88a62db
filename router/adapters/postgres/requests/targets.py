"""What a retry or a cancel is about: files, a batch with its halves, or a request; and what becomes of that."""

from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg

from router.adapters.postgres import discovery
from router.adapters.postgres.database import Connection
from router.adapters.postgres.fragments import FAMILY, SAME, WAITS, Statement, locked
from router.ports.requests import CancelToResolve, RetryToResolve
from router.rules.identity import object_key

# What a retry or a cancel is about: the files of a batch $1 and its halves, of a request $2, the newest versions of
# objects $3.
_OF_BATCH = f"SELECT source_id, object, version FROM file WHERE batch_id IN ({FAMILY})"
_OF_REQUEST = "SELECT source_id, object, version FROM request_file WHERE request_id = $2"
_NAMED = "unnest($1::text[], $2::bytea[], $3::text[]) AS t (source_id, object, version)"
_OPENED_BY_REQUEST = "SELECT source_id, object, version FROM file WHERE request_id = $2 AND outcome IS NULL"
_NEWEST = """
    (SELECT DISTINCT ON (source_id, object) source_id, object, version FROM file WHERE object = ANY($3::bytea[])
     ORDER BY source_id, object, landed DESC)
"""
_TO_RETRY = f"{_OF_BATCH} UNION {_OF_REQUEST} UNION {_NEWEST}"
_MAY_BE_RETRIED = """
    k.source_id = ANY($6::text[]) AND k.version <> '' AND k.outcome IN ('failed', 'quarantined', 'missing')
"""
_TO_CANCEL = f"{_OF_BATCH} UNION {_OPENED_BY_REQUEST} UNION {_NEWEST}"


async def retry(
    connection: Connection, to_retry: RetryToResolve, asked: Mapping[str, Any], pinned: Sequence[str]
) -> int:
    """Begin a new round for each file that was not loaded, in one statement; says for how many."""
    rows = await connection.fetch(_RETRY, *_targets_of(asked), to_retry.id, pinned, list(to_retry.source_ids))
    await _link_files_and_mark_listed(connection, to_retry.id, rows)
    return len(rows)


async def cancel(connection: Connection, to_cancel: CancelToResolve, asked: Mapping[str, Any], reason: str) -> int:
    """Give up what waits, and close the batch that is named; says how many files that is.

    What is in flight goes on, unless its batch is named.
    """
    batch, request, objects = _targets_of(asked)
    rows = await connection.fetch(_FILES_TO_CANCEL, batch, request, objects, list(to_cancel.source_ids))
    await connection.execute(_CLOSE_BATCH, batch, reason)
    await connection.execute(_GIVE_UP_REQUEST, request, reason)
    given_up = await _give_up_waiting(connection, rows, reason)
    looks = await discovery.cancel(connection, objects, list(to_cancel.source_ids), reason)
    await _link_files_and_mark_listed(connection, to_cancel.id, [*rows, *looks])
    return given_up + len(looks)


def _targets_of(asked: Mapping[str, Any]) -> tuple[str | None, str | None, list[bytes]]:
    return asked.get("batch"), asked.get("request"), [object_key(uri) for uri in asked.get("files", ())]


async def source_ids_of(connection: Connection, kind: str, asked: Mapping[str, Any]) -> frozenset[str]:
    batch, request, objects = _targets_of(asked)
    statement = _SOURCES_TO_RETRY if kind == "retry" else _SOURCES_TO_CANCEL
    rows = await connection.fetch(statement, batch, request, objects)
    return frozenset(row["source_id"] for row in rows)


async def _give_up_waiting(connection: Connection, rows: Sequence[asyncpg.Record], reason: str) -> int:
    given_up = await connection.fetch(
        _GIVE_UP_WAITING,
        [row["source_id"] for row in rows],
        [row["object"] for row in rows],
        [row["version"] for row in rows],
        reason,
    )
    return len(given_up)


async def _link_files_and_mark_listed(connection: Connection, request_id: str, rows: Sequence[asyncpg.Record]) -> None:
    await connection.execute(
        _LINK_FILES,
        request_id,
        [row["source_id"] for row in rows],
        [row["object"] for row in rows],
        [row["version"] for row in rows],
        [row["uri"] for row in rows],
    )
    await connection.execute(_MARK_LISTED, request_id)


# A new round for all that a retry is about and was not loaded.
_RETRY = Statement(f"""
    UPDATE file f SET outcome = NULL, reason = NULL, rows = NULL, batch_id = NULL, round = f.round + 1,
        accepted = now(), rank = 0, request_id = $4,
        lane = CASE WHEN f.lane = 'default' AND f.source_id <> ALL($5::text[]) THEN 'priority'
                    ELSE f.lane END
    FROM ({locked(f"({_TO_RETRY}) t", _MAY_BE_RETRIED)}) n
    WHERE {SAME}
    RETURNING f.source_id, f.object, f.version, f.uri
""")

# All that a cancel is about.
_FILES_TO_CANCEL = Statement(f"""
    SELECT f.source_id, f.object, f.version, f.uri FROM file f JOIN ({_TO_CANCEL}) t
      ON (f.source_id, f.object, f.version) = (t.source_id, t.object, t.version)
    WHERE f.source_id = ANY($4::text[])
""")

# Its batch, with its halves, is closing.
_CLOSE_BATCH = Statement(f"""
    UPDATE batch SET closing = $2, splitting = false, due = now()
    WHERE id IN ({FAMILY}) AND ended IS NULL AND (closing IS NULL OR splitting) AND kind = 'load'
""")

# The request it names is given up.
_GIVE_UP_REQUEST = Statement("UPDATE request SET given_up = $2 WHERE id = $1 AND ended IS NULL")

# What waits of all that a cancel is about has failed.
_GIVE_UP_WAITING = Statement(f"""
    UPDATE file f SET outcome = 'failed', reason = $4 FROM ({locked(_NAMED, WAITS)}) n
    WHERE {SAME} RETURNING true
""")

# The files that a request turned out to be about.
_LINK_FILES = Statement("""
    INSERT INTO request_file (request_id, source_id, object, version, uri)
    SELECT $1, * FROM unnest($2::text[], $3::bytea[], $4::text[], $5::text[]) ON CONFLICT DO NOTHING
""")

# All its files are known.
_MARK_LISTED = Statement("UPDATE request SET listed = now() WHERE id = $1")

# The sources of all that a retry, or a cancel, is about.
_OF_NAMED = """
    UNION SELECT source_id FROM batch WHERE id = $1
    UNION SELECT source_id FROM request WHERE id = $2 AND source_id IS NOT NULL
"""
_SOURCES_TO_RETRY = Statement(f"SELECT source_id FROM ({_TO_RETRY}) t {_OF_NAMED}")
_SOURCES_TO_CANCEL = Statement(
    f"SELECT source_id FROM ({_TO_CANCEL}) t {_OF_NAMED} UNION SELECT source_id FROM arrival WHERE object = ANY($3)"
)
