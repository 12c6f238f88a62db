"""What a request is answered. Every request that names itself gets one completion event, whatever becomes of it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from router.errors import Rejected
from router.rules.outgoing import OutgoingEvent, to_json
from schemas.completions import (
    MAX_FILES_NAMED,
    CloudEvent,
    RequestCompletion,
    RequestCounts,
    RequestedFile,
    RequestOutcome,
    SourceName,
)
from schemas.config.topics import COMPLETIONS_TOPIC
from schemas.events.requests import RequestKind
from schemas.report import Preview, readable

MAX_EVENT_BYTES = 1_000_000  # Kafka takes little more, and an event it refuses would hold up all behind it
NOTHING = RequestCounts(files=0, files_loaded=0, files_already_loaded=0, files_not_loaded=0, rows=0)


@dataclass(frozen=True, slots=True)
class FinishedRequest:
    """A request that is at its end: nothing of it is open any more, it was given up, or its deadline has passed.

    `files` are those to be named, at most one more than are, those not loaded first. `given_up` says why.
    """

    id: str
    kind: RequestKind
    producer: str
    source_id: str | None
    accepted: datetime
    counts: RequestCounts = NOTHING
    files: Sequence[RequestedFile] = ()
    expired: bool = False
    given_up: str | None = None


@dataclass(frozen=True, slots=True)
class RequestEnd:
    """How a request ends, and the event that says so."""

    id: str
    outcome: RequestOutcome
    reason: str | None
    event: OutgoingEvent


def refused(request: FinishedRequest, rejected: Rejected, *, now: datetime) -> RequestEnd:
    """The answer to a request that is not carried out."""
    return _end(request, "rejected", f"{rejected.reason}: {rejected.detail}", None, now=now)


def answered(finished: FinishedRequest, source: SourceName | None, *, now: datetime) -> RequestEnd:
    """The answer to a request of which nothing is open any more, or whose time is over."""
    outcome, reason = _outcome(finished)
    if finished.kind == "preview":  # it looked at a file, and asked for none to be loaded
        finished = replace(finished, counts=NOTHING, files=())
    return _end(finished, outcome, reason, source, now=now)


def previewed(finished: FinishedRequest, source: SourceName | None, preview: Preview, *, now: datetime) -> RequestEnd:
    """The answer to a preview that was looked at."""
    outcome: RequestOutcome = "failed" if preview.refused is not None else "previewed"
    end = _end(finished, outcome, preview.refused, source, preview=preview, now=now)
    if len(end.event.value.encode()) <= MAX_EVENT_BYTES:
        return end
    return _end(finished, "failed", "its first rows are too large for an event; ask for fewer", source, now=now)


def _outcome(finished: FinishedRequest) -> tuple[RequestOutcome, str | None]:
    counts = finished.counts
    if finished.given_up is not None:
        return ("failed" if finished.kind == "preview" else "cancelled"), finished.given_up
    if finished.expired:
        return "expired", "its deadline has passed; what still waited was given up"
    if finished.kind == "cancel":
        return "done", f"{counts.files_not_loaded} files given up, {counts.files_loaded} were loaded before that"
    if finished.kind == "preview":
        return "failed", next((file.reason for file in finished.files), None) or "the file is not there"
    not_loaded = counts.files_not_loaded
    if counts.files == 0:
        return "nothing-loaded", "no file was found"
    if not_loaded == 0:
        return "loaded", None
    why = next((f": {file.reason}" for file in finished.files if file.reason), "")
    words = f"{not_loaded} of {counts.files} files not loaded{why}"
    return ("nothing-loaded" if not_loaded == counts.files else "partly-loaded"), words


def _end(
    finished: FinishedRequest,
    outcome: RequestOutcome,
    reason: str | None,
    source: SourceName | None,
    *,
    preview: Preview | None = None,
    now: datetime,
) -> RequestEnd:
    reason = None if reason is None else readable(reason)
    data = RequestCompletion(
        request=finished.id,
        kind=finished.kind,
        producer=finished.producer,
        outcome=outcome,
        reason=reason,
        source=source,
        counts=finished.counts,
        files=tuple(finished.files[:MAX_FILES_NAMED]),
        files_truncated=len(finished.files) > MAX_FILES_NAMED,
        preview=preview,
        seconds={"asked_to_done": round(max(0.0, (now - finished.accepted).total_seconds()), 3)},
    )
    event = CloudEvent(
        id=f"request/{finished.id}",
        type=f"autoloader.request.{outcome}.v1",
        subject=finished.id,
        time=now,
        data=data,
    )
    return RequestEnd(finished.id, outcome, reason, OutgoingEvent(COMPLETIONS_TOPIC, finished.id, to_json(event)))
