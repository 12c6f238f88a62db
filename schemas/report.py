"""What a run says of its batch: stored as `result.report`, and read by settlement."""

import re
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator

from schemas.base import Wire

FileOutcome = Literal["loaded", "quarantined", "missing", "superseded"]
Cause = Literal["infrastructure", "out-of-memory", "wrong-data", "crash", "silent", "server-lost", "cancelled"]
Target = Literal["storage", "catalog", "connect", "ledger"]  # what a load needs, and may find away

MAX_REASON_LETTERS = 1000


def readable(text: str) -> str:
    """A reason as it is kept and told: on one line, without what PostgreSQL or a terminal chokes on, not too long."""
    line = re.sub(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]+", " ", text).strip()
    return line if len(line) <= MAX_REASON_LETTERS else line[: MAX_REASON_LETTERS - 1] + "…"


Reason = Annotated[str, AfterValidator(readable)]


class FileReport(Wire):
    """How one file ended; `rows` counts its rows in the table, `rows_bad` its records that are kept aside."""

    uri: str
    version: str
    outcome: FileOutcome
    rows: int = 0
    rows_bad: int = 0
    reason: Reason | None = None


class Snapshot(Wire):
    """The Iceberg snapshot that holds the batch. `id` is text: it does not fit a JSON number."""

    id: str
    operation: str = "append"
    committed_at: datetime | None = None


class SchemaChange(Wire):
    """One change of the table's schema that the load made; a field within a column is named by its path."""

    op: Literal["create", "add", "widen"]
    column: Reason
    type: Reason


class SchemaColumn(Wire):
    """A column of the table as it is now; `given` when the configuration names its type."""

    name: str
    type: str
    given: bool = False


class Report(Wire):
    """The end of a load: per file, and as a whole.

    `snapshot` is the one published, None when no file was left to load. `columns` are those of the table after
    `schema_changes`; none without changes. `seconds` has the durations of its steps.
    """

    files: tuple[FileReport, ...]
    rows: int
    snapshot: Snapshot | None = None
    schema_changes: tuple[SchemaChange, ...] = ()
    columns: tuple[SchemaColumn, ...] = ()
    seconds: dict[str, float] = {}


class Closed(Wire):
    """The batch can never be loaded any more: why, for people and for the completion event.

    `split`: it was closed only so that its files go on in two halves.
    """

    cause: Cause
    reason: Reason
    split: bool = False


class PreviewColumn(Wire):
    """A column as a load would read it; `type` in Spark's SQL."""

    name: Reason
    type: Reason


class Preview(Wire):
    """The first rows of a file, each a list of its values as text in the order of the columns; None is no value.

    Values are cut to 200 letters and columns to 100, so that it fits a Kafka record. `truncated`: something was cut,
    or the file has more rows. `records` are in the file, of which a load refuses `rows_bad`, such as `bad`; then
    `set_aside` says whether it refuses the whole file. `estimated`: the file is big, so only its first 10,000 records
    or so were looked at, and `records` is an estimate. `schema_changes` are those it makes. `refused` says why the file
    cannot be read; there are no columns then.
    """

    columns: tuple[PreviewColumn, ...] = ()
    rows: tuple[tuple[str | None, ...], ...] = ()
    truncated: bool = False
    records: int | None = None
    estimated: bool = False
    rows_bad: int = 0
    bad: tuple[Reason, ...] = ()
    set_aside: bool = False
    schema_changes: tuple[SchemaChange, ...] = ()
    refused: Reason | None = None
