"""What goes out: completion events and dead letters, CloudEvents 1.0 in structured JSON.

They grow, and never change meaning. The `id` is the same on every repetition. Keys on Kafka: the table of a batch's
completion, the id of a request's, topic and partition of a dead letter; what has one key keeps its order.

    autoloader.batch.<outcome>.v1     one for each batch that ended: its counts, and its files by name up to a bound
    autoloader.request.<outcome>.v1   one for each request, by which it is answered
    autoloader.dead-letter.v1         one for each part of a record that cannot be used

An event stays below a megabyte, Kafka's usual limit: hence the bounds on what is named.
"""

from datetime import datetime
from typing import Literal

from pydantic import Field

from schemas.base import Wire
from schemas.events.requests import RequestKind
from schemas.report import FileOutcome, Preview, SchemaChange, Snapshot

BatchOutcome = Literal["loaded", "partly-loaded", "nothing-loaded", "failed", "split"]
RequestOutcome = Literal[
    "loaded", "partly-loaded", "nothing-loaded", "previewed", "cancelled", "expired", "done", "failed", "rejected"
]
MAX_FILES_NAMED = 100
MAX_REQUESTS_NAMED = 100
MAX_CHANGES_NAMED = 100


def _is_none(value: object) -> bool:
    return value is None


class SourceName(Wire):
    """A source by its lasting id and its present name."""

    id: str
    name: str


class Counts(Wire):
    """Sums over the batch; `bytes` as they landed. `files_not_loaded` sums those that ended otherwise.

    `rows_bad` are records of loaded files that are kept aside, with their reasons, in the table beside the table.
    """

    files_loaded: int
    files_not_loaded: int
    files_quarantined: int = 0
    files_missing: int = 0
    files_superseded: int = 0
    files_failed: int = 0
    rows: int
    rows_bad: int = 0
    bytes: int


class CompletedFile(Wire):
    """How one file ended. `traceparent` is there only of one that belongs to a trace."""

    uri: str
    version: str
    outcome: FileOutcome | Literal["failed"]
    rows: int = 0
    rows_bad: int = 0
    reason: str | None = None
    traceparent: str | None = Field(None, exclude_if=_is_none)


class Run(Wire):
    """The attempt that ended the batch, and where to look at it."""

    batch: str
    attempt: int
    lane: str
    prefect_run: str | None
    url: str | None


class StillWaiting(Wire):
    """What of the source waits after this batch, counted up to 10,000 files (`or_more`: it may be more)."""

    files: int
    bytes: int
    or_more: bool = False


class RequestProgress(Wire):
    """How far a request that asked for files of this batch has come; its own completion event is the final word.

    Its files are counted up to 10,000; `files_total` is null when there are more, or it is still being listed.
    """

    id: str
    state: Literal["open", "complete"]
    files_done: int
    files_total: int | None = None


class BatchCompletion(Wire):
    """The `data` of `autoloader.batch.<outcome>.v1`.

    At most 100 files are named, those not loaded first; `files_truncated` says whether there are more. At most 100
    schema changes are named. So an event stays below a megabyte, Kafka's usual limit. `seconds`: `landed_to_cut`,
    `cut_to_submit`, `event_to_submit` (both), `submit_to_start`, `load`, `landed_to_queryable`, the flow's own steps.

    `complete_through`: every file of the source that landed before it, and was announced by now, is in the table or
    was named as not loadable.

    `split` is no end of its files: they go on in the two batches of `split_into`, and none of them is counted or named
    before one of those has ended.
    """

    outcome: BatchOutcome
    reason: str | None
    source: SourceName
    requests: tuple[RequestProgress, ...] = ()
    table: str
    snapshot: Snapshot | None
    schema_changes: tuple[SchemaChange, ...]
    counts: Counts
    complete_through: datetime | None = None
    still_waiting: StillWaiting | None = None
    files: tuple[CompletedFile, ...]
    files_truncated: bool
    split_into: tuple[str, ...] = ()
    run: Run
    seconds: dict[str, float]


class RequestCounts(Wire):
    """Sums over the files asked for. `files_already_loaded` were in the table before and are not loaded again."""

    files: int
    files_loaded: int
    files_already_loaded: int
    files_not_loaded: int
    rows: int


class RequestedFile(Wire):
    """How one file asked for ended; `waiting` and `in-flight` only when the request ended before it."""

    uri: str
    version: str | None
    outcome: FileOutcome | Literal["failed", "removed", "already-loaded", "waiting", "in-flight"]
    rows: int = 0
    reason: str | None = None
    batch: str | None = None


class RequestCompletion(Wire):
    """The `data` of `autoloader.request.<outcome>.v1`: one for each request, whatever becomes of it.

    At most 100 files are named, those not loaded first. A cancel counts as loaded what was in the table already, as
    not loaded what it gave up. `done`: a cancel was carried out.
    """

    request: str
    kind: RequestKind
    producer: str
    outcome: RequestOutcome
    reason: str | None
    source: SourceName | None
    counts: RequestCounts
    files: tuple[RequestedFile, ...]
    files_truncated: bool
    preview: Preview | None = None
    seconds: dict[str, float]


class DeadLetter(Wire):
    """The `data` of `autoloader.dead-letter.v1`: what could not be used, where it stands, why and what to do.

    `value` is the record's value, at most 16 KiB of it, as text, or as base64 when it is not UTF-8. Of a record with
    several unusable entries only the first letter has it.
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
    """The CloudEvents envelope of a completion or a dead letter; `traceparent` where all its files have the same."""

    specversion: Literal["1.0"] = "1.0"
    id: str
    type: str
    source: str = "/autoloader"
    subject: str
    time: datetime
    datacontenttype: str = "application/json"
    traceparent: str | None = Field(None, exclude_if=_is_none)
    data: BatchCompletion | RequestCompletion | DeadLetter
