"""What `cost` asks of the ledger: how many runs there were, and how long they took. It reads only."""

from datetime import timedelta

from router.adapters.postgres.database import Database
from router.adapters.postgres.fragments import Statement
from router.rules.cost import Spent, Work


class PostgresCost:
    """Adds up attempts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def spent(self, last: timedelta, lower: int, higher: int) -> Spent:
        """Of that time, or since the first batch; `lower` and `higher` bound the biggest file in `Work.is_between`.

        When they are the same no file is looked at.
        """
        async with self._database.transaction() as connection:
            [(since, until)] = await connection.fetch(_TIME, last)
            rows = await connection.fetch(_WORK, since, until, lower, higher)
        return Spent(since, until, [Work(**dict(row)) for row in rows])


# What is sent to PostgreSQL.

# The last time of some length, not before the first batch was cut.
_TIME = Statement("""
    SELECT greatest(now() - $1::interval, first) AS since, now() AS until FROM (
        SELECT coalesce(least(
            (SELECT cut FROM batch WHERE ended IS NOT NULL ORDER BY ended LIMIT 1),
            (SELECT min(cut) FROM batch WHERE ended IS NULL)), now()) AS first) f
""")

# What ran between $1 and $2, cut off at both. A batch whose files have gone on elsewhere has files of its mean size.
_WORK = Statement("""
    WITH alive AS (
        SELECT id, source_id, estimate, files FROM batch WHERE ended > $1
        UNION ALL
        SELECT id, source_id, estimate, files FROM batch WHERE ended IS NULL
    )
    SELECT a.lane, b.source_id, a.size_class, f.biggest > $3 AND f.biggest <= $4 AS is_between,
           count(a.claimed) AS runs,
           coalesce(sum(extract(epoch FROM t.ended - t.begun)) FILTER (WHERE a.claimed IS NOT NULL), 0)::float8
               AS run_seconds,
           coalesce(sum(extract(epoch FROM t.begun - t.submitted)) FILTER (WHERE a.claimed IS NOT NULL), 0)::float8
               AS start_seconds,
           count(*) FILTER (WHERE a.claimed IS NULL AND a.ended IS NOT NULL) AS unbegun
    FROM alive b
    JOIN attempt a ON a.batch_id = b.id
    LEFT JOIN result r USING (batch_id, n)
    CROSS JOIN LATERAL (SELECT greatest(a.claimed, $1) AS begun) c
    CROSS JOIN LATERAL (
        SELECT c.begun, greatest(c.begun, coalesce(r.ended, a.ended, $2::timestamptz)) AS ended,
               least(c.begun, greatest(coalesce(a.admitted, a.submitted, a.created), $1)) AS submitted) t
    CROSS JOIN LATERAL (
        SELECT coalesce(max(estimate), b.estimate / greatest(b.files, 1)) AS biggest
        FROM file WHERE batch_id = b.id AND $3::bigint < $4::bigint) f
    WHERE coalesce(a.ended, $2) > $1
    GROUP BY 1, 2, 3, 4
    ORDER BY 1, 2, 3, 4
""")
