"""Requests that are at their end, and what is to be answered."""

from collections.abc import Sequence
from datetime import timedelta

import asyncpg

from router.adapters.postgres.database import Connection, Database
from router.adapters.postgres.fragments import Statement, later
from router.adapters.postgres.requests.ending import HEIR
from router.rules.answers import FinishedRequest
from schemas.completions import MAX_FILES_NAMED, RequestCounts, RequestedFile

_LONGEST_PAUSE = timedelta(minutes=10)
_IS_OPEN = "q.outcome IS NULL AND (q.version IS NULL OR f.outcome IS NULL)"


async def take_finished(database: Database, limit: int) -> Sequence[str]:
    """The ids of the earliest; who takes them has 15 seconds to answer, and whoever comes after longer each time.

    A request with an open file is not at its end; what it opened itself is seen first. The scalar subqueries are looked
    up for each request; an EXISTS is planned to read all of the table at once.
    """
    rows = await database.fetch(_TAKE, limit, _LONGEST_PAUSE)
    return [row["id"] for row in sorted(rows, key=lambda row: row["accepted"])]


async def finished_request(connection: Connection, request_id: str) -> FinishedRequest | None:
    """With its counts; None when it has ended, or a file of it waits anew meanwhile. All of it at one instant."""
    await connection.execute(_ONE_SNAPSHOT)
    row = await connection.fetchrow(_OPEN_REQUEST, request_id)
    return None if row is None else await _finished(connection, row)


async def _finished(connection: Connection, row: asyncpg.Record) -> FinishedRequest | None:
    [counts] = await connection.fetch(_COUNTS, row["id"])
    is_cut_short = row["expired"] or row["given_up"] is not None
    if counts["open"] > 0 and not is_cut_short and row["kind"] != "preview":
        return None
    files = await connection.fetch(_NAMED, row["id"], MAX_FILES_NAMED + 1)
    return FinishedRequest(
        id=row["id"],
        kind=row["kind"],
        producer=row["producer"],
        source_id=row["source_id"],
        accepted=row["accepted"],
        counts=_counts(counts),
        files=[_requested(file) for file in files],
        expired=row["expired"] and (row["listed"] is None or counts["open"] > 0),
        given_up=row["given_up"],
    )


def _counts(row: asyncpg.Record) -> RequestCounts:
    return RequestCounts(
        files=row["files"],
        files_loaded=row["loaded"],
        files_already_loaded=row["already"],
        files_not_loaded=row["files"] - row["loaded"] - row["already"],
        rows=row["rows"],
    )


def _requested(row: asyncpg.Record) -> RequestedFile:
    outcome = row["outcome"]
    return RequestedFile(
        uri=row["uri"],
        version=row["version"],
        outcome=outcome,
        rows=(row["rows"] or 0) if outcome == "loaded" else 0,
        reason=row["reason"],
        batch=row["batch"],
    )


# What is sent to PostgreSQL.

# Requests at their end that are due to be answered, put off before anybody looks at them.
_TAKE = Statement(f"""
    UPDATE request t SET answer_tries = t.answer_tries + 1,
        answer_due = {later("15 seconds", "t.answer_tries", "$2")}
    FROM (
        SELECT r.id FROM request r
        WHERE r.ended IS NULL AND r.answer_due <= now() AND (
            r.given_up IS NOT NULL OR r.deadline <= now()
            OR (r.listed IS NOT NULL AND r.kind <> 'preview'
                AND (SELECT true FROM file WHERE request_id = r.id AND outcome IS NULL LIMIT 1) IS NULL
                AND (SELECT true FROM request_file q LEFT JOIN file f USING (source_id, object, version)
                     WHERE q.request_id = r.id AND {_IS_OPEN} LIMIT 1) IS NULL)
            OR (r.kind = 'preview' AND (SELECT true FROM request_file q
                WHERE q.request_id = r.id AND q.outcome IS NOT NULL LIMIT 1)))
        ORDER BY r.accepted LIMIT $1 FOR UPDATE SKIP LOCKED) f
    WHERE t.id = f.id RETURNING t.id, t.accepted
""")

# All that is read next is of one moment.
_ONE_SNAPSHOT = Statement("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")

# A request that is open, and whether its time is over.
_OPEN_REQUEST = Statement("""
    SELECT *, coalesce(deadline <= now(), false) AS expired FROM request WHERE id = $1 AND ended IS NULL
""")

# How the files of a request stand.
_COUNTS = Statement(f"""
    SELECT count(*) AS files, count(*) FILTER (WHERE {_IS_OPEN}) AS open,
           count(*) FILTER (WHERE q.outcome IS NULL AND f.outcome = 'loaded') AS loaded,
           count(*) FILTER (WHERE q.outcome = 'already-loaded') AS already,
           coalesce(sum(f.rows) FILTER (WHERE q.outcome IS NULL AND f.outcome = 'loaded'), 0)::bigint AS rows
    FROM request_file q LEFT JOIN file f USING (source_id, object, version) WHERE q.request_id = $1
""")

# The files that its answer names, those not loaded first.
_NAMED = Statement(f"""
    SELECT q.uri, q.version, k.rows, coalesce(q.reason, k.reason) AS reason, k.batch_id AS batch,
           coalesce(q.outcome, k.outcome,
               CASE WHEN k.batch_id IS NOT NULL THEN 'in-flight'
                    WHEN k.request_id = q.request_id AND {HEIR} IS NULL THEN 'failed' ELSE 'waiting' END) AS outcome
    FROM request_file q LEFT JOIN file k USING (source_id, object, version) WHERE q.request_id = $1
    ORDER BY q.outcome IS NULL AND k.outcome = 'loaded', q.uri LIMIT $2
""")
