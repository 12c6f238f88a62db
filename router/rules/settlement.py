"""How a batch and each of its files end, and the event that says so.

A run reports each file; one it does not report has failed. The batch is loaded when all of its files are. Its event
says what else somebody may ask then: how far the requests for its files are, what is still waiting, how long each span
took, and up to which landing the source is complete: the earliest that is still open, else all that has ended.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from router.rules.outgoing import OutgoingEvent, to_json
from router.rules.sizing import learned
from schemas.completions import (
    MAX_CHANGES_NAMED,
    MAX_FILES_NAMED,
    BatchCompletion,
    BatchOutcome,
    CloudEvent,
    CompletedFile,
    Counts,
    RequestProgress,
    Run,
    SourceName,
    StillWaiting,
)
from schemas.config.topics import COMPLETIONS_TOPIC
from schemas.manifest import Manifest, ManifestFile
from schemas.report import Closed, FileReport, Report, SchemaChange, SchemaColumn

# What is said of a file whose run says no more than that it ended so.
UNTOLD: Mapping[str, str] = {
    "missing": "it was not there any more when its load looked for it",
    "superseded": "its load found another version of it than the one announced; what is there now is looked at",
    "quarantined": "its load could not read it, and did not say why",
    "failed": "its load did not say why",
}


@dataclass(frozen=True, slots=True)
class RequestInBatch:
    """A request that asked for files of a batch: so many of all its files have ended, without those of the batch.

    `files_here` are those in the batch. `files_total` is None while it is still being listed, and when it has more than
    10,000 files; they are counted up to that.
    """

    id: str
    files_done: int
    files_here: int
    files_total: int | None


@dataclass(frozen=True, slots=True)
class BatchContext:
    """What else holds when a batch ends: requests for its files, and what else is open of its source.

    `oldest_open`: the earliest landing of a file that is open, in other batches or waiting. `newest_landed`: the latest
    of all that has ended so far. `bytes_per_second`: what is learned of the source's loads.
    """

    requests: Sequence[RequestInBatch] = ()
    oldest_open: datetime | None = None
    newest_landed: datetime | None = None
    waiting: StillWaiting = field(default_factory=lambda: StillWaiting(files=0, bytes=0))
    bytes_per_second: float | None = None


@dataclass(frozen=True, slots=True)
class EndedBatch:
    """Everything the ledger knows of a batch whose run has reported. `landed` and `last_landed` are of its files.

    `given_up`: it was to be closed for good, not for its files to go on in two halves. `traces`: of its files, by URI.
    """

    id: str
    n: int
    lane: str
    manifest: Manifest
    files: Sequence[ManifestFile]
    landed: datetime
    last_landed: datetime
    estimate: int
    cut: datetime
    submitted: datetime | None
    claimed: datetime | None
    reported: datetime
    run_id: str | None
    report: Report | Closed
    given_up: bool = False
    traces: Mapping[str, str] = field(default_factory=dict)
    context: BatchContext = field(default_factory=BatchContext)


@dataclass(frozen=True, slots=True)
class TableSchema:
    """The columns of a table after a load has changed them."""

    table: str
    columns: Sequence[SchemaColumn]
    changes: Sequence[SchemaChange]


@dataclass(frozen=True, slots=True)
class Settlement:
    """How a batch and each of its files end, what was learned of its source, and the event that says so."""

    batch: str
    n: int
    source_id: str
    outcome: BatchOutcome
    reason: str | None
    files: Sequence[CompletedFile]
    bytes_per_second: float | None
    newest_landed: datetime
    seconds: Mapping[str, float]
    event: OutgoingEvent
    schema: TableSchema | None = None


def settle(batch: EndedBatch, *, now: datetime, run_url: str | None) -> Settlement:
    """How a batch ends whose run has reported, and how each of its files does."""
    files = [_traced(file, batch.traces.get(file.uri)) for file in _files(batch)]
    outcome, reason = _outcome(batch.report, files)
    newest_landed = max(batch.context.newest_landed or batch.last_landed, batch.last_landed)
    complete_through = batch.context.oldest_open or newest_landed
    event = batch_event(batch, outcome, reason, files, complete_through=complete_through, now=now, run_url=run_url)
    return Settlement(
        batch=batch.id,
        n=batch.n,
        source_id=batch.manifest.source_id,
        outcome=outcome,
        reason=reason,
        files=files,
        bytes_per_second=_learned(batch),
        newest_landed=newest_landed,
        seconds=_seconds(batch),
        event=event,
        schema=_schema(batch),
    )


def _schema(batch: EndedBatch) -> TableSchema | None:
    if isinstance(batch.report, Closed) or not batch.report.columns:
        return None
    return TableSchema(batch.manifest.table, batch.report.columns, batch.report.schema_changes)


def batch_event(
    batch: EndedBatch,
    outcome: BatchOutcome,
    reason: str | None,
    files: Sequence[CompletedFile],
    *,
    complete_through: datetime,
    now: datetime,
    run_url: str | None,
    split_into: Sequence[str] = (),
) -> OutgoingEvent:
    """The completion event of a batch; `files` are those that end with it."""
    data = BatchCompletion(
        outcome=outcome,
        reason=reason,
        source=SourceName(id=batch.manifest.source_id, name=batch.manifest.source_name),
        requests=tuple(_progress(asking) for asking in batch.context.requests),
        table=batch.manifest.table,
        snapshot=batch.report.snapshot if isinstance(batch.report, Report) else None,
        schema_changes=batch.report.schema_changes[:MAX_CHANGES_NAMED] if isinstance(batch.report, Report) else (),
        counts=_counts(batch, files),
        complete_through=complete_through,
        still_waiting=batch.context.waiting,
        files=tuple(sorted(files, key=lambda file: file.outcome == "loaded")[:MAX_FILES_NAMED]),
        files_truncated=len(files) > MAX_FILES_NAMED,
        split_into=tuple(split_into),
        run=Run(batch=batch.id, attempt=batch.n, lane=batch.lane, prefect_run=batch.run_id, url=run_url),
        seconds=_seconds(batch),
    )
    event = CloudEvent(
        id=f"{batch.id}/{batch.n}/{outcome}",
        type=f"autoloader.batch.{outcome}.v1",
        subject=batch.manifest.table,
        time=now,
        traceparent=_common(files),
        data=data,
    )
    return OutgoingEvent(COMPLETIONS_TOPIC, batch.manifest.table, to_json(event))


def _common(files: Sequence[CompletedFile]) -> str | None:
    """The one trace to which all files belong, if there is one."""
    traces = {file.traceparent for file in files}
    return traces.pop() if len(traces) == 1 else None


def _progress(asking: RequestInBatch) -> RequestProgress:
    done = asking.files_done + asking.files_here
    complete = asking.files_total is not None and done >= asking.files_total
    return RequestProgress(
        id=asking.id, state="complete" if complete else "open", files_done=done, files_total=asking.files_total
    )


def _learned(batch: EndedBatch) -> float | None:
    before = batch.context.bytes_per_second
    if isinstance(batch.report, Closed) or batch.claimed is None:
        return before
    return learned(before, batch.estimate, (batch.reported - batch.claimed).total_seconds())


def _files(batch: EndedBatch) -> list[CompletedFile]:
    if isinstance(batch.report, Closed):
        return [
            CompletedFile(uri=file.uri, version=file.version, outcome="failed", reason=batch.report.reason)
            for file in batch.files
        ]
    reported = {(file.uri, file.version): file for file in batch.report.files}
    return [_completed(file, reported.get((file.uri, file.version))) for file in batch.files]


def _traced(file: CompletedFile, traceparent: str | None) -> CompletedFile:
    return file if traceparent is None else file.model_copy(update={"traceparent": traceparent})


def _completed(file: ManifestFile, reported: FileReport | None) -> CompletedFile:
    if reported is None:
        return CompletedFile(uri=file.uri, version=file.version, outcome="failed", reason="its run did not report it")
    completed = CompletedFile.model_validate(reported.model_dump())
    if completed.outcome == "loaded" or completed.reason:
        return completed
    return completed.model_copy(update={"reason": UNTOLD[completed.outcome]})


def _outcome(report: Report | Closed, files: Sequence[CompletedFile]) -> tuple[BatchOutcome, str | None]:
    if isinstance(report, Closed):
        return "failed", report.reason
    not_loaded = [file for file in files if file.outcome != "loaded"]
    if not not_loaded:
        return "loaded", None
    kinds = Counter(file.outcome for file in not_loaded)
    words = ", ".join(f"{count} of {len(files)} files {outcome}" for outcome, count in kinds.items())
    reason = next((f": {file.reason}" for file in not_loaded if file.reason), "")
    return ("partly-loaded" if len(not_loaded) < len(files) else "nothing-loaded"), words + reason


def _counts(batch: EndedBatch, files: Sequence[CompletedFile]) -> Counts:
    ends = Counter(file.outcome for file in files)
    return Counts(
        files_loaded=ends["loaded"],
        files_not_loaded=len(files) - ends["loaded"],
        files_quarantined=ends["quarantined"],
        files_missing=ends["missing"],
        files_superseded=ends["superseded"],
        files_failed=ends["failed"],
        rows=batch.report.rows if isinstance(batch.report, Report) else 0,
        rows_bad=sum(file.rows_bad for file in files),
        bytes=sum(file.size for file in batch.files) if files else 0,
    )


def _seconds(batch: EndedBatch) -> dict[str, float]:
    spans = {
        "landed_to_cut": (batch.landed, batch.cut),
        "cut_to_submit": (batch.cut, batch.submitted),
        "event_to_submit": (batch.landed, batch.submitted),
        "submit_to_start": (batch.submitted, batch.claimed),
        "load": (batch.claimed, batch.reported),
        "landed_to_queryable": (batch.landed, _committed(batch)),
    }
    seconds = {name: round((end - start).total_seconds(), 3) for name, (start, end) in spans.items() if start and end}
    own = batch.report.seconds if isinstance(batch.report, Report) else {}
    return seconds | {f"flow_{step}": value for step, value in own.items()}


def _committed(batch: EndedBatch) -> datetime | None:
    if isinstance(batch.report, Report) and batch.report.snapshot is not None:
        return batch.report.snapshot.committed_at
    return None
