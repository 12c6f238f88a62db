"""`schema_version` and what was kept aside, as commands ask for them."""

import json
from collections.abc import Sequence

from router.adapters.postgres.database import Database
from router.adapters.postgres.fragments import Statement
from router.rules.columns import KeptAside, SchemaVersion
from schemas.report import SchemaChange, SchemaColumn


class PostgresColumns:
    """Tells what became of a source's columns, and which of its files and records were kept aside."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def versions(self, source_id: str) -> Sequence[SchemaVersion]:
        """All of them, the first one first."""
        rows = await self._database.fetch(_VERSIONS, source_id)
        return [
            SchemaVersion(
                row["version"],
                row["table_name"],
                [SchemaColumn.model_validate(one) for one in json.loads(row["columns"])],
                [SchemaChange.model_validate(one) for one in json.loads(row["changes"])],
                row["batch_id"],
                row["at"],
            )
            for row in rows
        ]

    async def kept_aside(self, source_id: str, limit: int) -> Sequence[KeptAside]:
        """The files that were set aside, and those that were loaded without some records, the newest first."""
        rows = await self._database.fetch(_KEPT_ASIDE, source_id, limit)
        return [KeptAside(**dict(row)) for row in rows]


# What is sent to PostgreSQL.

# The versions of a source's columns.
_VERSIONS = Statement("""
    SELECT version, table_name, columns, changes, batch_id, at FROM schema_version WHERE source_id = $1 ORDER BY version
""")

# Files that were not loaded, or not with all their records.
_KEPT_ASIDE = Statement("""
    SELECT uri, version, outcome, rows, rows_bad, reason, batch_id, landed FROM file
    WHERE source_id = $1 AND (outcome = 'quarantined' OR rows_bad > 0) ORDER BY landed DESC, uri LIMIT $2
""")
