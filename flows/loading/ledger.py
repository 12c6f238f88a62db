"""The ledger as a run sees it: claim the attempt, pass the fence, say how it ended.

A database that does not answer is `Infrastructure`.
"""

from __future__ import annotations

import socket
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import psycopg
from psycopg.types.json import Jsonb

from flows.loading.connection import KeptConnection
from flows.loading.errors import Infrastructure, NotWanted
from schemas.ledger.completeness import OLDEST_OPEN
from schemas.ledger.passing import passes
from schemas.ledger.revision import REVISION, lacking
from schemas.ledger.tracing import JOIN_TRACE
from schemas.manifest import AttemptKind, Manifest, ManifestFile
from schemas.report import Cause, Closed, Preview, Report, Target, readable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from schemas.config.lanes import Lane

_TWICE = "its run has begun a second time, in another process, and nothing is heard of the first"


@dataclass(frozen=True, slots=True)
class Claimed:
    """An attempt that is ours alone; that of a preview has no `files`.

    `session_id` is that of the Spark session it works in. `rivals` are those of the earlier claims on the batch, newest
    first: what they began may still go on.
    `splitting`: it is closed only for its files to go on in two halves. `complete_through`: with this batch all is in
    its table that landed in its source before and was announced by now, or is named as not loadable; not of a preview.
    """

    batch: str
    attempt: int
    run_id: str
    session_id: UUID
    kind: AttemptKind
    lane: Lane
    manifest: Manifest
    files: tuple[ManifestFile, ...]
    closing: str | None = None
    splitting: bool = False
    rivals: tuple[UUID, ...] = ()
    complete_through: datetime | None = None


@dataclass(frozen=True, slots=True)
class Traced:
    """A file that belongs to a trace, W3C's `traceparent`, and the moments of its path."""

    uri: str
    traceparent: str
    landed: datetime
    cut: datetime
    submitted: datetime | None
    claimed: datetime


class Ledger:
    """The ledger behind `url` (as in `DATABASE_URL`)."""

    def __init__(self, url: str) -> None:
        self._kept = KeptConnection(url)

    def claim(self, batch: str, attempt: int, run_id: str, session_id: UUID | None = None) -> Claimed | None:
        """Take the attempt for this process of the run, or None when nobody wants it any more.

        `session_id` is that of a Spark session which is there already; without it one is made up.

        Raises:
            Infrastructure: another process of the same run had it, and is not heard of any more: the next attempt is
                due. While it is heard of, this one is not wanted. Or the ledger's tables are older than this code.
        """
        session_id = session_id or uuid4()
        key = {"batch": batch, "n": attempt, "run": run_id, "session": session_id, "host": socket.gethostname()}
        with self._transaction() as connection:
            _await_migration(connection)
            row = connection.execute(_CLAIM, key).fetchone()
            if row is None and connection.execute(_GIVE_WAY, {**key, "reason": _TWICE}).fetchone() is None:
                return None
            files = connection.execute(_FILES, {"batch": batch}).fetchall()
            rivals = connection.execute(_RIVALS, {"batch": batch, "n": attempt}).fetchall()
            complete = connection.execute(_COMPLETE_THROUGH, {"batch": batch}).fetchone()
        if row is None:
            raise Infrastructure(_TWICE, target=None)
        kind, lane, manifest, closing, splitting = row
        return Claimed(
            *(batch, attempt, run_id, session_id, kind, lane, Manifest.model_validate(manifest)),
            files=tuple(ManifestFile(uri=uri, version=version, size=size) for uri, version, size in files),
            closing=closing,
            splitting=splitting,
            rivals=tuple(session_id for (session_id,) in rivals),
            complete_through=complete[0] if complete else None,
        )

    def touch(self, claimed: Claimed) -> bool:
        """Say that the run lives; False when nobody wants it any more."""
        with self._transaction() as connection:
            return connection.execute(_TOUCH, _key(claimed)).fetchone() is not None

    def stage(self, claimed: Claimed, snapshot_id: int | None, report: Report) -> None:
        """The fence: record the staged snapshot, after which it may be published.

        Under the lock with which the router ends and closes batches: without this row nothing can be published later.

        Raises:
            NotWanted: the batch has ended or is being closed, or the attempt is not ours any more.
        """
        with self._transaction() as connection:
            self._pass_fence(connection, claimed)
            connection.execute(_STAGE, {**_key(claimed), "snapshot": snapshot_id, "report": _json(report)})

    def check(self, claimed: Claimed) -> None:
        """The fence without a row, before an empty snapshot is published. Raises NotWanted like `stage`."""
        with self._transaction() as connection:
            self._pass_fence(connection, claimed)

    def publish(self, claimed: Claimed, report: Report) -> None:
        """The batch is in the table, by whichever attempt."""
        with self._transaction() as connection:
            connection.execute(_END, {**_key(claimed), "state": "published", "report": _json(report)})

    def closed(self, claimed: Claimed, closed: Closed) -> None:
        """An empty snapshot stands under the batch's id: it can never load."""
        with self._transaction() as connection:
            connection.execute(_END, {**_key(claimed), "state": "closed", "report": _json(closed)})

    def closed_by_fence(self, claimed: Claimed, closed: Closed, *, table_is_gone: bool) -> None:
        """Close without a snapshot: what was not staged before this row cannot be published after it.

        Raises:
            NotWanted: the attempt is not ours any more.
            Infrastructure: something is staged in a table that exists, so only the table could tell.
        """
        with self._transaction() as connection:
            self._pass_fence(connection, claimed)
            if not table_is_gone and connection.execute(_ANY_STAGED, {"batch": claimed.batch}).fetchone():
                raise Infrastructure(
                    f"{claimed.manifest.table} cannot be written, and an attempt has staged a snapshot in it: whether "
                    f"the batch is loaded can be told only when it can be written again ({closed.reason})",
                    target="catalog",
                )
            connection.execute(_END, {**_key(claimed), "state": "closed", "report": _json(closed)})

    def previewed(self, claimed: Claimed, preview: Preview) -> None:
        """What a look at the file has shown. Raises NotWanted like `stage`."""
        with self._transaction() as connection:
            self._pass_fence(connection, claimed)
            connection.execute(_END, {**_key(claimed), "state": "previewed", "report": _json(preview)})

    def failed(self, claimed: Claimed, cause: Cause, reason: str, target: Target | None = None) -> None:
        """The run's own word on why it fails, and what was away."""
        with self._transaction() as connection:
            connection.execute(_FAILED, {**_key(claimed), "cause": cause, "reason": readable(reason), "target": target})

    def traced(self, claimed: Claimed) -> tuple[Traced, ...]:
        """The files of the batch that belong to a trace, and what had become of them when they were claimed."""
        with self._transaction() as connection:
            rows = connection.execute(_TRACED, _key(claimed)).fetchall()
        return tuple(Traced(*row) for row in rows)

    def report_of(self, batch: str, snapshot_id: int) -> Report | None:
        """What an earlier attempt staged as this snapshot."""
        with self._transaction() as connection:
            row = connection.execute(_REPORT, {"batch": batch, "snapshot": snapshot_id}).fetchone()
        return None if row is None else Report.model_validate(row[0])

    def closed_before(self, batch: str) -> Closed | None:
        """How an earlier attempt closed the batch."""
        with self._transaction() as connection:
            row = connection.execute(_CLOSED, {"batch": batch}).fetchone()
        return None if row is None else Closed.model_validate(row[0])

    @staticmethod
    def _pass_fence(connection: psycopg.Connection[tuple[Any, ...]], claimed: Claimed) -> None:
        connection.execute("SELECT FROM batch WHERE id = %(batch)s FOR UPDATE", _key(claimed))
        if connection.execute(_FENCE, _key(claimed)).fetchone() is None:
            raise NotWanted(f"attempt {claimed.attempt} of {claimed.batch} is over: nothing is published")

    @contextmanager
    def _transaction(self) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
        try:
            with self._kept.transaction() as connection:
                yield connection
        except psycopg.Error as error:
            away = isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
            if not away and not passes(error.sqlstate):
                raise
            raise Infrastructure(f"the ledger does not answer: {error}", target="ledger") from error


def _await_migration(connection: psycopg.Connection[tuple[Any, ...]]) -> None:
    found = connection.execute(REVISION).fetchone()
    if (what := lacking(found[0] if found else None)) is not None:
        raise Infrastructure(what, target="ledger")


def _key(claimed: Claimed) -> dict[str, Any]:
    return {"batch": claimed.batch, "n": claimed.attempt, "run": claimed.run_id, "session": claimed.session_id}


def _json(value: Report | Closed | Preview) -> Jsonb:
    return Jsonb(value.model_dump(mode="json"))


# Compare and set: one process works on an attempt, ever. Two in a row would share the row of what is staged.
_CLAIM = """
UPDATE attempt
SET claimed_by = %(run)s, claimed_on = %(host)s, claimed = now(), touched = now(), session_id = %(session)s
FROM batch
WHERE attempt.batch_id = %(batch)s AND attempt.n = %(n)s
  AND batch.id = attempt.batch_id
  AND attempt.claimed_by IS NULL
  AND attempt.ended IS NULL AND batch.ended IS NULL
  AND (attempt.kind = 'close' OR batch.closing IS NULL)
  AND attempt.n = (SELECT max(newest.n) FROM attempt AS newest WHERE newest.batch_id = %(batch)s)
RETURNING attempt.kind, attempt.lane, batch.manifest, batch.closing, batch.splitting
"""
_GIVE_WAY = """
UPDATE attempt SET cause = coalesce(cause, 'infrastructure'), reason = coalesce(reason, %(reason)s)
WHERE batch_id = %(batch)s AND n = %(n)s AND claimed_by = %(run)s AND ended IS NULL
  AND touched < now() - interval '1 minute'
  AND NOT EXISTS (SELECT FROM result WHERE batch_id = %(batch)s AND n = %(n)s AND state <> 'staged')
RETURNING n
"""
_TOUCH = """
UPDATE attempt SET touched = now()
WHERE batch_id = %(batch)s AND n = %(n)s AND session_id = %(session)s AND ended IS NULL
RETURNING n
"""
_FILES = "SELECT uri, version, size FROM file WHERE batch_id = %(batch)s ORDER BY uri"
_TRACED = f"""
SELECT f.uri, t.traceparent, f.landed, b.cut, a.submitted, a.claimed
FROM batch b
JOIN attempt a ON a.batch_id = b.id AND a.n = %(n)s
JOIN file f ON f.batch_id = b.id
{JOIN_TRACE}
WHERE b.id = %(batch)s AND t.traceparent IS NOT NULL
ORDER BY f.uri
"""  # noqa: S608 - a fragment of ours
_RIVALS = """
SELECT session_id FROM attempt
WHERE batch_id = %(batch)s AND n < %(n)s AND session_id IS NOT NULL
ORDER BY n DESC
"""
_COMPLETE_THROUGH = f"""
SELECT coalesce({OLDEST_OPEN}, greatest(s.newest_landed, (SELECT max(landed) FROM file WHERE batch_id = b.id)))
FROM batch b LEFT JOIN source_state s USING (source_id)
WHERE b.id = %(batch)s AND b.kind = 'load'
"""  # noqa: S608 - a fragment of ours
_FENCE = """
SELECT attempt.n FROM attempt JOIN batch ON batch.id = attempt.batch_id
WHERE attempt.batch_id = %(batch)s AND attempt.n = %(n)s AND attempt.claimed_by = %(run)s
  AND attempt.ended IS NULL AND batch.ended IS NULL
  AND (attempt.kind = 'close' OR batch.closing IS NULL)
  AND NOT EXISTS (SELECT FROM result WHERE result.batch_id = %(batch)s AND result.state = 'closed')
"""
_STAGE = """
INSERT INTO result (batch_id, n, state, snapshot_id, report)
VALUES (%(batch)s, %(n)s, 'staged', %(snapshot)s, %(report)s)
ON CONFLICT (batch_id, n) DO UPDATE
SET snapshot_id = excluded.snapshot_id, report = excluded.report, staged = now() WHERE result.state = 'staged'
"""
_END = """
INSERT INTO result (batch_id, n, state, report, ended) VALUES (%(batch)s, %(n)s, %(state)s, %(report)s, now())
ON CONFLICT (batch_id, n) DO UPDATE
SET state = excluded.state, report = excluded.report, ended = now() WHERE result.state = 'staged'
"""
_ANY_STAGED = "SELECT FROM result WHERE batch_id = %(batch)s AND state = 'staged' AND snapshot_id IS NOT NULL LIMIT 1"
_FAILED = """
UPDATE attempt SET cause = %(cause)s, reason = %(reason)s, target = %(target)s
WHERE batch_id = %(batch)s AND n = %(n)s AND claimed_by = %(run)s AND ended IS NULL
"""
_REPORT = """
SELECT report FROM result
WHERE batch_id = %(batch)s AND snapshot_id = %(snapshot)s AND state IN ('staged', 'published')
ORDER BY n DESC LIMIT 1
"""
_CLOSED = "SELECT report FROM result WHERE batch_id = %(batch)s AND state = 'closed' ORDER BY n LIMIT 1"
