"""What was found for a request: files that are there, files that are not, files that its source does not take."""

from collections.abc import Sequence

from router.adapters.postgres.database import Connection
from router.adapters.postgres.fragments import Statement
from router.ports.requests import Found, FoundFile
from router.rules.identity import object_key
from router.rules.looking import TWICE


async def take_up(connection: Connection, found: Found) -> Sequence[FoundFile]:
    """Those that nobody has taken up before."""
    if not found.files:
        return []
    files = {file.identity.object: file for file in found.files}
    rows = await connection.fetch(
        _TAKE_UP, found.request_id, *_columns(list(files.values())), [file.size for file in files.values()]
    )
    return [files[row["object"]] for row in rows]


async def open_files(connection: Connection, request_id: str, files: Sequence[FoundFile], *, reload: bool) -> int:
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


async def miss(connection: Connection, found: Found) -> bool:
    """What is not there is missing when it was not there before either; whether something is to be looked for again."""
    if not found.missing:
        return False
    missed = await connection.fetch(_MISS, found.request_id, [object_key(uri) for uri in found.missing], TWICE)
    return any(row["outcome"] is None for row in missed)


async def refuse(connection: Connection, found: Found) -> None:
    if found.refused:
        await connection.execute(
            _REFUSE, found.request_id, [object_key(uri) for uri in found.refused], list(found.refused.values())
        )


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
