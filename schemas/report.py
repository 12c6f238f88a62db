"""What a run says of its batch: stored as `result.report`, and read by settlement."""

from datetime import datetime
from typing import Literal

from schemas.base import Wire

FileOutcome = Literal["loaded", "quarantined", "missing", "superseded"]
Cause = Literal["infrastructure", "out-of-memory", "wrong-data", "crash"]


class FileReport(Wire):
    """How one file ended; `rows` counts its rows in the table."""

    uri: str
    version: str
    outcome: FileOutcome
    rows: int = 0
    reason: str | None = None


class Snapshot(Wire):
    """The Iceberg snapshot that holds the batch. `id` is text: it does not fit a JSON number."""

    id: str
    operation: str = "append"
    committed_at: datetime | None = None


class SchemaChange(Wire):
    """One change of the table's schema that the load made."""

    op: Literal["create", "add"]
    column: str
    type: str


class Report(Wire):
    """The end of a load: per file, and as a whole.

    `snapshot` is the one published, None when no file was left to load. `seconds` has the durations of its steps.
    """

    files: tuple[FileReport, ...]
    rows: int
    snapshot: Snapshot | None = None
    schema_changes: tuple[SchemaChange, ...] = ()
    seconds: dict[str, float] = {}


class Closed(Wire):
    """The batch can never be loaded any more: why, for people and for the completion event."""

    cause: Cause
    reason: str
