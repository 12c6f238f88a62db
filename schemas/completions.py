"""What goes out: completion events and dead letters, CloudEvents 1.0 in structured JSON.

They grow, and never change meaning. The `id` is the same on every repetition. Keys on Kafka: the table of a completion,
the topic and partition of a dead letter.
"""

from datetime import datetime
from typing import Literal

from schemas.base import Wire
from schemas.report import FileOutcome, SchemaChange, Snapshot

BatchOutcome = Literal["loaded", "partly-loaded", "nothing-loaded", "failed"]
MAX_FILES_NAMED = 100
MAX_CHANGES_NAMED = 100


class SourceName(Wire):
    """A source by its lasting id and its present name."""

    id: str
    name: str


class Counts(Wire):
    """Sums over the batch; `bytes` as they landed."""

    files_loaded: int
    files_not_loaded: int
    rows: int
    bytes: int


class CompletedFile(Wire):
    """How one file ended."""

    uri: str
    version: str
    outcome: FileOutcome | Literal["failed"]
    rows: int = 0
    reason: str | None = None


class Run(Wire):
    """The attempt that ended the batch, and where to look at it."""

    batch: str
    attempt: int
    lane: str
    prefect_run: str | None
    url: str | None


class BatchCompletion(Wire):
    """The `data` of `autoloader.batch.<outcome>.v1`.

    At most 100 files are named, those not loaded first; `files_truncated` says whether there are more. At most 100
    schema changes are named. So an event stays below a megabyte, Kafka's usual limit. `seconds`: `landed_to_cut`,
    `cut_to_submit`, `submit_to_start`, `load`, `landed_to_queryable`, and the flow's own steps.
    """

    outcome: BatchOutcome
    reason: str | None
    source: SourceName
    table: str
    snapshot: Snapshot | None
    schema_changes: tuple[SchemaChange, ...]
    counts: Counts
    files: tuple[CompletedFile, ...]
    files_truncated: bool
    run: Run
    seconds: dict[str, float]


class DeadLetter(Wire):
    """The `data` of `autoloader.dead-letter.v1`: what could not be used, where it stands, why and what to do.

    `value` is the record's value, at most 16 KiB of it, as text, or as base64 when it is not UTF-8.
    """

    reason: str
    detail: str
    topic: str
    partition: int
    offset: int
    key: str | None
    value: str | None
    value_encoding: Literal["utf-8", "base64"]
    value_bytes: int | None


class CloudEvent(Wire):
    """The envelope."""

    specversion: Literal["1.0"] = "1.0"
    id: str
    type: str
    source: str = "/autoloader"
    subject: str
    time: datetime
    datacontenttype: str = "application/json"
    data: BatchCompletion | DeadLetter
