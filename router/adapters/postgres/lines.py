"""The lines of waiting files: which sources have files waiting, and in which lanes."""


def total(column: str) -> str:
    """The sum of a bigint column as a bigint: PostgreSQL adds up as numeric, what is too much is the most there is."""
    return f"least(coalesce(sum({column}), 0), 9223372036854775807)::bigint"


# From line to line through the index of waiting files: two probes for each that is not empty, however long it is.
LINES = """
    WITH RECURSIVE line AS (
        (SELECT source_id, lane FROM file WHERE batch_id IS NULL AND outcome IS NULL ORDER BY source_id, lane LIMIT 1)
        UNION ALL
        SELECT n.source_id, n.lane FROM line l CROSS JOIN LATERAL (
            SELECT source_id, lane FROM file
            WHERE batch_id IS NULL AND outcome IS NULL AND (source_id, lane) > (l.source_id, l.lane)
            ORDER BY source_id, lane LIMIT 1) n
    )
    SELECT source_id, lane FROM line
"""
