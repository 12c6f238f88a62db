"""`request` and `request_file`: what was asked for, which files that are, and when it is at its end."""

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any

import asyncpg

from router.adapters.postgres.database import Connection, Database
from router.adapters.postgres.discovery import cancel
from router.adapters.postgres.fragments import FAMILY, SAME, WAITS, Statement, later, locked
from router.adapters.postgres.publication import put
from router.adapters.postgres.requests.answering import finished_request, take_finished
from router.adapters.postgres.requests.ending import end_request
from router.errors import Transient
from router.ports.requests import AskedRequest, Found, FoundFile, Unlisted
from router.rules.answers import FinishedRequest, RequestEnd
from router.rules.identity import object_key
from router.rules.looking import SECOND_LOOK, TWICE
from router.rules.outgoing import OutgoingEvent
from schemas.config.topics import COMPLETIONS_TOPIC
from schemas.events.requests import LoadAsked, PreviewAsked
from schemas.report import readable

FILES_A_LISTING = 1000
_LONGEST_PAUSE = timedelta(minutes=10)
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


class PostgresRequests:
    """See `ports.requests.RequestLedger`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record_requests(self, requests: Sequence[AskedRequest], letters: Sequence[OutgoingEvent]) -> int:
        """In the order of their ids, so that several routers do not deadlock."""
        async with self._database.transaction() as connection:
            new = 0
            for asked in sorted(requests, key=lambda asked: asked.request.id):
                new += await _record(connection, asked)
            await put(connection, letters)
        return new

    async def request_to_resolve(self) -> Unlisted | None:
        """The longest due; until it was listed on or a minute has passed nobody else gets it.

        That stands before it is looked at: one at which to look takes too long keeps no other waiting.
        """
        async with self._database.transaction() as connection:
            row = await connection.fetchrow(_GIVE)
        if row is None:
            return None
        try:
            async with self._database.transaction() as connection:
                return await _unlisted(connection, row)
        except Transient as trouble:
            await self.put_off(row["id"], str(trouble), row["cursor"])
            raise

    async def save_found(self, found: Found, *, reload: bool) -> int:
        """Each file of a request is taken up once, whoever lists it: so nothing is reloaded twice."""
        async with self._database.transaction() as connection:
            kind = await _lock_unlisted(connection, found.request_id)
            if kind is None:
                return 0
            new = await _take_up(connection, found)
            opened = 0
            if kind == "load" and new:
                opened = await _open(connection, found.request_id, new, reload=reload)
            once_more = await _miss(connection, found)
            await _refuse(connection, found)
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

    async def retry_files(self, unlisted: Unlisted, pinned: Sequence[str]) -> int:
        """A new round for each file, in one statement."""
        async with self._database.transaction() as connection:
            asked = await _lock_asked(connection, unlisted.id)
            if asked is None:
                return 0
            rows = await connection.fetch(_RETRY, *_targets(asked), unlisted.id, pinned, list(unlisted.source_ids))
            await _are_all(connection, unlisted.id, rows)
        return len(rows)

    async def cancel_files(self, unlisted: Unlisted, reason: str) -> int:
        """What is in flight goes on, unless its batch is named; the request answers once that has ended."""
        async with self._database.transaction() as connection:
            asked = await _lock_asked(connection, unlisted.id)
            if asked is None:
                return 0
            batch, request, objects = _targets(asked)
            rows = await connection.fetch(_FILES_TO_CANCEL, batch, request, objects, list(unlisted.source_ids))
            await connection.execute(_CLOSE_BATCH, batch, reason)
            await connection.execute(_GIVE_UP_REQUEST, request, reason)
            given_up = await _give_up_waiting(connection, rows, reason)
            looks = await cancel(connection, objects, list(unlisted.source_ids), reason)
            await _are_all(connection, unlisted.id, [*rows, *looks])
        return given_up + len(looks)

    async def put_off(self, request_id: str, trouble: str, cursor: str | None) -> None:
        """Longer each time."""
        async with self._database.transaction() as connection:
            await connection.execute(_PUT_OFF, request_id, readable(trouble), _LONGEST_PAUSE, cursor)

    async def requests_at_end(self, limit: int) -> Sequence[str]:
        """See `answers`: the back-off is written first, in a transaction of its own."""
        async with self._database.transaction() as connection:
            return await take_finished(connection, limit)

    async def request_to_answer(self, request_id: str) -> FinishedRequest | None:
        """Each in a transaction of its own: what takes too long for one keeps no other waiting."""
        async with self._database.transaction() as connection:
            return await finished_request(connection, request_id)

    async def give_up_removed(self, source_ids: Collection[str], after: timedelta) -> int:
        """A retry names no source: what is left of it may be of removed ones only."""
        async with self._database.transaction() as connection:
            rows = await connection.fetch(_GIVE_UP_REMOVED, list(source_ids), after)
        return len(rows)

    async def end_request(self, end: RequestEnd) -> bool:
        """Once."""
        async with self._database.transaction() as connection:
            return await end_request(connection, end)


async def _record(connection: Connection, asked: AskedRequest) -> int:
    request, data = asked.request, asked.request.asked
    new = await connection.fetchval(
        _RECORD,
        request.id,
        request.kind,
        request.producer,
        asked.source_id,
        "{}" if data is None else data.model_dump_json(),
        data.deadline if isinstance(data, LoadAsked) else None,
        *request.position,
    )
    if not new:
        await _answer_again(connection, asked)
    elif asked.refusal is not None:
        await end_request(connection, asked.refusal)
    elif uris := _named(data):
        await connection.execute(_NAME_FILES, request.id, asked.source_id, [object_key(uri) for uri in uris], uris)
    return int(bool(new))


async def _answer_again(connection: Connection, asked: AskedRequest) -> None:
    row = await connection.fetchrow(_ANSWER, asked.request.id)
    if row is None or row["producer"] != asked.request.producer:
        await put(connection, [asked.taken])
    elif row["event"] is not None:
        await put(connection, [OutgoingEvent(COMPLETIONS_TOPIC, asked.request.id, row["event"])])


def _named(data: object) -> list[str]:
    match data:
        case LoadAsked():
            return list(data.files)
        case PreviewAsked():
            return [data.file]
        case _:
            return []


def _targets(asked: Mapping[str, Any]) -> tuple[str | None, str | None, list[bytes]]:
    return asked.get("batch"), asked.get("request"), [object_key(uri) for uri in asked.get("files", ())]


async def _unlisted(connection: Connection, row: asyncpg.Record) -> Unlisted:
    asked = json.loads(row["asked"])
    files: list[str] = []
    source_ids = (
        frozenset([row["source_id"]]) if row["source_id"] else await _source_ids(connection, row["kind"], asked)
    )
    if row["kind"] in {"load", "preview"} and not asked.get("prefix"):
        found = await connection.fetch(_NEXT_NAMED, row["id"], FILES_A_LISTING, row["cursor"])
        files = [one["uri"] for one in found]
    return Unlisted(
        id=row["id"],
        kind=row["kind"],
        producer=row["producer"],
        source_id=row["source_id"],
        reload=asked.get("if_loaded") == "reload",
        files=files,
        prefix=asked.get("prefix"),
        cursor=row["cursor"],
        source_ids=source_ids,
    )


async def _source_ids(connection: Connection, kind: str, asked: Mapping[str, Any]) -> frozenset[str]:
    batch, request, objects = _targets(asked)
    statement = _SOURCES_TO_RETRY if kind == "retry" else _SOURCES_TO_CANCEL
    rows = await connection.fetch(statement, batch, request, objects)
    return frozenset(row["source_id"] for row in rows)


async def _lock_unlisted(connection: Connection, request_id: str) -> str | None:
    kind: str | None = await connection.fetchval(_LOCK, request_id)
    return kind


async def _lock_asked(connection: Connection, request_id: str) -> Mapping[str, Any] | None:
    if await _lock_unlisted(connection, request_id) is None:
        return None
    asked: Mapping[str, Any] = json.loads(await connection.fetchval(_ASKED, request_id))
    return asked


async def _take_up(connection: Connection, found: Found) -> Sequence[FoundFile]:
    """Those that nobody has taken up before."""
    if not found.files:
        return []
    files = {file.identity.object: file for file in found.files}
    rows = await connection.fetch(
        _TAKE_UP, found.request_id, *_columns(list(files.values())), [file.size for file in files.values()]
    )
    return [files[row["object"]] for row in rows]


async def _open(connection: Connection, request_id: str, files: Sequence[FoundFile], *, reload: bool) -> int:
    """What waits moves to where a person's files wait; what has ended waits anew; what is in flight goes on."""
    files = sorted(files, key=lambda file: file.identity)
    rows = await connection.fetch(
        _OPEN,
        *_columns(files),
        [file.size for file in files],
        [file.place.estimate for file in files],
        [file.place.lane for file in files],
        request_id,
        reload,
    )
    await connection.execute(_ALREADY_LOADED, request_id, [file.identity.object for file in files])
    return len(rows)


def _columns(files: Sequence[FoundFile]) -> tuple[list[str], list[bytes], list[str], list[str]]:
    return (
        [file.identity.source_id for file in files],
        [file.identity.object for file in files],
        [file.identity.version for file in files],
        [file.uri for file in files],
    )


async def _miss(connection: Connection, found: Found) -> bool:
    """What is not there is missing when it was not there before either; whether something is to be looked for again."""
    if not found.missing:
        return False
    missed = await connection.fetch(_MISS, found.request_id, [object_key(uri) for uri in found.missing], TWICE)
    return any(row["outcome"] is None for row in missed)


async def _refuse(connection: Connection, found: Found) -> None:
    if found.refused:
        await connection.execute(
            _REFUSE, found.request_id, [object_key(uri) for uri in found.refused], list(found.refused.values())
        )


async def _give_up_waiting(connection: Connection, rows: Sequence[asyncpg.Record], reason: str) -> int:
    given_up = await connection.fetch(
        _GIVE_UP_WAITING,
        [row["source_id"] for row in rows],
        [row["object"] for row in rows],
        [row["version"] for row in rows],
        reason,
    )
    return len(given_up)


async def _are_all(connection: Connection, request_id: str, rows: Sequence[asyncpg.Record]) -> None:
    await connection.execute(
        _LINK_FILES,
        request_id,
        [row["source_id"] for row in rows],
        [row["object"] for row in rows],
        [row["version"] for row in rows],
        [row["uri"] for row in rows],
    )
    await connection.execute(_MARK_LISTED, request_id)


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

# A request, once by its id.
_RECORD = Statement("""
    INSERT INTO request (id, kind, producer, source_id, asked, deadline, topic, "partition", "offset")
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING RETURNING true
""")

# The files it names.
_NAME_FILES = Statement("""
    INSERT INTO request_file (request_id, source_id, object, uri)
    SELECT $1, $2, * FROM unnest($3::bytea[], $4::text[]) ON CONFLICT DO NOTHING
""")

# What was answered, and to whom.
_ANSWER = Statement("SELECT producer, event FROM request WHERE id = $1")

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

# Files found for a request; says which nobody has taken up before.
_TAKE_UP = Statement("""
    INSERT INTO request_file AS q (request_id, source_id, object, version, uri, size)
    SELECT $1, * FROM unnest($2::text[], $3::bytea[], $4::text[], $5::text[], $6::bigint[])
    ON CONFLICT (request_id, source_id, object) DO UPDATE SET version = excluded.version, size = excluded.size
    WHERE q.version IS NULL AND q.outcome IS NULL RETURNING q.object
""")

# What waits moves to where a person's files wait, what has ended waits anew.
_OPEN = Statement("""
    INSERT INTO file AS f (source_id, object, version, uri, size, estimate, lane, rank, request_id, landed)
    SELECT *, 0, $8, now() FROM unnest($1::text[], $2::bytea[], $3::text[], $4::text[], $5::bigint[], $6::bigint[],
                                       $7::text[])
    ON CONFLICT (source_id, object, version) DO UPDATE
    SET lane = excluded.lane, rank = 0, size = excluded.size, estimate = excluded.estimate,
        request_id = CASE WHEN f.outcome IS NULL THEN f.request_id ELSE excluded.request_id END,
        round = f.round + (f.outcome IS NOT NULL)::int,
        accepted = CASE WHEN f.outcome IS NULL THEN f.accepted ELSE now() END,
        batch_id = NULL, outcome = NULL, rows = NULL, reason = NULL
    WHERE (f.outcome IS NULL AND f.batch_id IS NULL) OR f.outcome <> 'loaded' OR (f.outcome = 'loaded' AND $9)
    RETURNING true
""")

# What it asks for and is loaded already.
_ALREADY_LOADED = Statement("""
    UPDATE request_file q SET outcome = 'already-loaded' FROM file f
    WHERE q.request_id = $1 AND q.object = ANY($2) AND f.outcome = 'loaded'
      AND (f.source_id, f.object, f.version) = (q.source_id, q.object, q.version)
""")

# Files that are not there, for good when they were not there before either.
_MISS = Statement("""
    UPDATE request_file SET misses = misses + 1, outcome = CASE WHEN misses > 0 THEN 'missing' END,
        reason = CASE WHEN misses > 0 THEN $3 END
    WHERE request_id = $1 AND object = ANY($2) AND version IS NULL AND outcome IS NULL RETURNING outcome
""")

# Files that its source does not take, each for its reason.
_REFUSE = Statement("""
    UPDATE request_file SET outcome = 'failed', reason = ($3::text[])[array_position($2::bytea[], object)]
    WHERE request_id = $1 AND object = ANY($2) AND version IS NULL AND outcome IS NULL
""")

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
