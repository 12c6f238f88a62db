"""What the ledger's statements are made of: each piece stands here once, whoever uses it.

A statement is a constant of its module, made of pieces that are constants too: what somebody said comes into SQL as a
parameter only. `tests/contract/test_statements.py` prepares every one on the migrated ledger.
"""

from typing import NewType

Statement = NewType("Statement", str)  # SQL as it is sent to PostgreSQL


# The file `f` that a row `n` names.
SAME = "(f.source_id, f.object, f.version) = (n.source_id, n.object, n.version)"
# Of a file `k`: it waits.
WAITS = "k.batch_id IS NULL AND k.outcome IS NULL"

# Of an attempt: it is in flight, and does not only wait for its quota.
TAKES_A_SLOT = "ended IS NULL AND (queued IS NULL OR claimed IS NOT NULL)"


def locked(named: str, condition: str, *, more: str = "") -> str:
    """The rows `n` that `named` has, as far as `condition` holds of their files `k`, which are locked.

    By whomever in the order in which intake writes them, so that nobody deadlocks: the OFFSET has PostgreSQL lock them
    before it joins them to anything, in whichever order it then likes. And each looked up by its key, which the LIMIT
    has it do: from statistics made before a flood it takes it that nothing waits, and would go through all that waits
    for each of them.
    """
    return f"""
        SELECT n.*{more} FROM (
            SELECT * FROM {named} ORDER BY source_id COLLATE "C", object, version COLLATE "C") n
        CROSS JOIN LATERAL (
            SELECT * FROM file WHERE (source_id, object, version) = (n.source_id, n.object, n.version)
            LIMIT 1 FOR UPDATE) k
        WHERE {condition} OFFSET 0
    """


def later(first: str, tries: str, longest: str) -> str:
    """The time at which what failed so often is tried again: twice as late each time, up to a longest pause."""
    return f"now() + least(interval '{first}' * 2 ^ least({tries}, 16), {longest})"


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

# A batch $1 with its halves, and theirs.
FAMILY = """
    WITH RECURSIVE family AS (
        SELECT $1::text AS id UNION ALL SELECT b.id FROM batch b JOIN family f ON b.split_from = f.id
    ) SELECT id FROM family
"""
