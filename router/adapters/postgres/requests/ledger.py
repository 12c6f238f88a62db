"""What requests ask of the ledger: to be recorded, resolved into files, put off, and ended. Its neighbours say how."""

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any

import asyncpg

from router.adapters.postgres.database import Connection, Database
from router.adapters.postgres.fragments import Statement, later
from router.adapters.postgres.publication import put
from router.adapters.postgres.requests import targets
from router.adapters.postgres.requests.answering import finished_request, take_finished
from router.adapters.postgres.requests.ending import end_request
from router.adapters.postgres.requests.finding import miss, open_files, refuse, take_up
from router.adapters.postgres.requests.recording import record
from router.errors import Transient
from router.ports.requests import (
    AskedRequest,
    CancelToResolve,
    Found,
    LoadToResolve,
    RetryToResolve,
    ToResolve,
)
from router.rules.answers import FinishedRequest, RequestEnd
from router.rules.looking import SECOND_LOOK
from router.rules.outgoing import OutgoingEvent
from schemas.report import readable

_LONGEST_PAUSE = timedelta(minutes=10)


class PostgresRequests:
    """See `ports.requests.RequestLedger`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record_requests(self, requests: Sequence[AskedRequest], letters: Sequence[OutgoingEvent]) -> int:
        """In the order of their ids, so that several routers do not deadlock."""
        async with self._database.transaction() as connection:
            new = 0
            for asked in sorted(requests, key=lambda asked: asked.request.id):
                new += await record(connection, asked)
            await put(connection, letters)
        return new

    async def request_to_resolve(self, files: int) -> ToResolve | None:
        """The longest due; until it was listed on or a minute has passed nobody else gets it.

        That stands before it is looked at: one at which to look takes too long keeps no other waiting.
        """
        rows = await self._database.fetch(_GIVE)
        if not rows:
            return None
        [row] = rows
        try:
            async with self._database.transaction() as connection:
                return await _to_resolve(connection, row, files)
        except Transient as trouble:
            await self.put_off(row["id"], str(trouble), row["cursor"])
            raise

    async def save_found(self, found: Found, *, reload: bool) -> int:
        """Each file of a request is taken up once, whoever lists it: so nothing is reloaded twice."""
        async with self._database.transaction() as connection:
            kind = await _lock_unlisted(connection, found.request_id)
            if kind is None:
                return 0
            new = await take_up(connection, found)
            opened = 0
            if kind == "load" and new:
                opened = await open_files(connection, found.request_id, new, reload=reload)
            once_more = await miss(connection, found)
            await refuse(connection, found)
            await connection.execute(
                _LISTED_SO_FAR,
                found.request_id,
                found.cursor,
                found.is_all,
                None if found.trouble is None else readable(found.trouble),
                once_more,
                SECOND_LOOK,
            )
        return opened

    async def retry_files(self, retry: RetryToResolve, pinned: Sequence[str]) -> int:
        """A new round for each file, in one statement."""
        async with self._database.transaction() as connection:
            asked = await _lock_asked(connection, retry.id)
            if asked is None:
                return 0
            return await targets.retry(connection, retry, asked, pinned)

    async def cancel_files(self, cancel: CancelToResolve, reason: str) -> int:
        """What is in flight goes on, unless its batch is named; the request answers once that has ended."""
        async with self._database.transaction() as connection:
            asked = await _lock_asked(connection, cancel.id)
            if asked is None:
                return 0
            return await targets.cancel(connection, cancel, asked, reason)

    async def put_off(self, request_id: str, trouble: str, cursor: str | None) -> None:
        """Put its listing off, longer each time."""
        await self._database.fetch(_PUT_OFF, request_id, readable(trouble), _LONGEST_PAUSE, cursor)

    async def requests_at_end(self, limit: int) -> Sequence[str]:
        """See `answers`: the back-off is written first, in a transaction of its own."""
        return await take_finished(self._database, limit)

    async def request_to_answer(self, request_id: str) -> FinishedRequest | None:
        """Each in a transaction of its own: what takes too long for one keeps no other waiting."""
        async with self._database.transaction() as connection:
            return await finished_request(connection, request_id)

    async def give_up_removed(self, source_ids: Collection[str], after: timedelta) -> int:
        """A retry names no source: what is left of it may be of removed ones only."""
        rows = await self._database.fetch(_GIVE_UP_REMOVED, list(source_ids), after)
        return len(rows)

    async def end_request(self, end: RequestEnd) -> bool:
        """End it, once."""
        async with self._database.transaction() as connection:
            return await end_request(connection, end)


async def _to_resolve(connection: Connection, row: asyncpg.Record, limit: int) -> ToResolve:
    asked = json.loads(row["asked"])
    match row["kind"]:
        case "retry":
            return RetryToResolve(row["id"], row["producer"], await targets.source_ids_of(connection, "retry", asked))
        case "cancel":
            return CancelToResolve(row["id"], row["producer"], await targets.source_ids_of(connection, "cancel", asked))
    prefix = asked.get("prefix")
    named = [] if prefix else await connection.fetch(_NEXT_NAMED, row["id"], limit, row["cursor"])
    return LoadToResolve(
        id=row["id"],
        kind=row["kind"],
        producer=row["producer"],
        source_id=row["source_id"],
        reload=asked.get("if_loaded") == "reload",
        files=[one["uri"] for one in named],
        prefix=prefix,
        cursor=row["cursor"],
    )


async def _lock_unlisted(connection: Connection, request_id: str) -> str | None:
    kind: str | None = await connection.fetchval(_LOCK, request_id)
    return kind


async def _lock_asked(connection: Connection, request_id: str) -> Mapping[str, Any] | None:
    if await _lock_unlisted(connection, request_id) is None:
        return None
    asked: Mapping[str, Any] = json.loads(await connection.fetchval(_ASKED, request_id))
    return asked


# What is sent to PostgreSQL.

# The request whose listing is longest due, given away for a minute.
_GIVE = Statement("""
    UPDATE request r SET due = now() + interval '1 minute', tries = r.tries + 1
    FROM (SELECT id FROM request WHERE ended IS NULL AND listed IS NULL AND due <= now()
          ORDER BY due LIMIT 1 FOR UPDATE SKIP LOCKED) d
    WHERE r.id = d.id RETURNING r.*
""")

# How far a request is listed, and when that goes on.
_LISTED_SO_FAR = Statement("""
    UPDATE request SET cursor = $2, tries = CASE WHEN $4::text IS NULL THEN 0 ELSE tries END, trouble = $4,
        due = now() + CASE WHEN $5 AND $2::text IS NULL THEN $6::interval ELSE interval '0' END,
        listed = CASE WHEN $3 AND NOT $5 THEN now() END WHERE id = $1
""")

# Its listing goes on later, longer each time.
_PUT_OFF = Statement(f"""
    UPDATE request SET trouble = $2, cursor = $4,
        due = {later("1 second", "tries", "$3")}
    WHERE id = $1
""")

# Requests for sources that are configured no more.
_GIVE_UP_REMOVED = Statement("""
    UPDATE request r SET given_up = CASE WHEN r.source_id IS NULL THEN 'unknown-source: what is left of it'
        ELSE 'unknown-source: ' || r.source_id END || ' is not in the configuration any more'
    WHERE r.ended IS NULL AND r.given_up IS NULL AND r.accepted <= now() - $2::interval
      AND (r.source_id <> ALL($1::text[])
           OR (r.kind = 'retry' AND r.listed IS NOT NULL
               AND (SELECT bool_and(f.source_id <> ALL($1)) FROM request_file q
                    JOIN file f USING (source_id, object, version)
                    WHERE q.request_id = r.id AND f.outcome IS NULL)))
    RETURNING true
""")

# The next files it names of which nothing is known yet.
_NEXT_NAMED = Statement("""
    SELECT uri FROM request_file
    WHERE request_id = $1 AND version IS NULL AND outcome IS NULL AND ($3::text IS NULL OR uri COLLATE "C" > $3)
    ORDER BY uri COLLATE "C" LIMIT $2
""")

# A request that is open and not listed, locked; its kind.
_LOCK = Statement("SELECT kind FROM request WHERE id = $1 AND ended IS NULL AND listed IS NULL FOR UPDATE")

# What was asked.
_ASKED = Statement("SELECT asked FROM request WHERE id = $1")
