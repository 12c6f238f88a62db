"""Requests: who may ask for what, and what is answered.

Every request that names itself gets one completion event, whatever becomes of it.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from router.errors import Rejected
from router.notifications.requests import Request
from router.rules.completion import OutgoingEvent, to_json
from router.rules.matching import Matcher
from schemas.completions import (
    MAX_FILES_NAMED,
    CloudEvent,
    RequestCompletion,
    RequestCounts,
    RequestedFile,
    RequestOutcome,
    SourceName,
)
from schemas.config import COMPLETIONS_TOPIC, Config
from schemas.events import CancelAsked, LoadAsked, PreviewAsked, RequestKind, RetryAsked
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


class Permissions:
    """The configuration, ready to be asked who may ask for what."""

    def __init__(self, config: Config, matcher: Matcher) -> None:
        self._matcher = matcher
        self._names = {source.id: name for name, source in config.sources.items()}
        self._ids = {name: source.id for name, source in config.sources.items()}
        self._producers = {source.id: source.from_.producers for source in config.sources.values()}
        self._prefixes = {source.id: source.from_.path for source in config.sources.values()}
        # pinned lanes hold also for what a person asks for
        self.pinned = sorted(source.id for source in config.sources.values() if source.lane is not None)

    def source_of(self, request: Request) -> str | None:
        """The id of the source a request names; None for one that names files, a batch or a request.

        Raises:
            Rejected: the request is not to be carried out, with the reason for its producer.
        """
        if request.asked is None:
            raise Rejected("bad-request", request.refused or "its data cannot be understood")
        match request.asked:
            case LoadAsked():
                source_id = self._named(request.asked.source)
                self.check_producer(request.producer, source_id)
                if request.asked.prefix is not None:
                    self._check_prefix(request.asked.prefix, source_id)
                for uri in request.asked.files:
                    self._check_file(uri, source_id)
                return source_id
            case PreviewAsked():
                source_id = self._named(request.asked.source)
                self.check_producer(request.producer, source_id)
                self._check_file(request.asked.file, source_id)
                return source_id
            case RetryAsked() | CancelAsked():
                return None

    def check_producer(self, producer: str, source_id: str) -> None:
        """Raises Rejected when the source names its producers and this is none of them."""
        allowed = self._producers.get(source_id, ())
        if allowed and producer not in allowed:
            raise Rejected(
                "producer-not-allowed",
                f"{producer} may not ask for {self.name(source_id).name}; its `producers` are {', '.join(allowed)}",
            )

    @property
    def source_ids(self) -> Collection[str]:
        """Of the sources that are configured."""
        return self._names.keys()

    def configured(self, source_ids: frozenset[str]) -> frozenset[str]:
        """Those of them that are. Raises Rejected when none of them is any more."""
        found = source_ids & self._names.keys()
        if source_ids and not found:
            raise Rejected("unknown-source", f"{', '.join(sorted(source_ids))} is not in the configuration any more")
        return found

    def takes(self, uri: str, source_id: str) -> bool:
        """Whether a file found by listing belongs to the source."""
        try:
            return source_id in self._matcher.sources_of(uri)
        except Rejected:
            return False

    def name(self, source_id: str) -> SourceName:
        """As it is told."""
        return SourceName(id=source_id, name=self._names.get(source_id, source_id))

    def _named(self, source: str) -> str:
        source_id = source if source in self._names else self._ids.get(source)
        if source_id is None:
            raise Rejected("unknown-source", f"no source {source[:100]!r}; there are {', '.join(sorted(self._ids))}")
        return source_id

    def _check_file(self, uri: str, source_id: str) -> None:
        if source_id not in self._matcher.sources_of(uri):
            raise Rejected("no-source", f"{uri} is not a file of {self.name(source_id).name}: see its path and match")

    def _check_prefix(self, prefix: str, source_id: str) -> None:
        self._matcher.check_prefix(prefix)
        if not prefix.startswith(self._prefixes[source_id]):
            raise Rejected(
                "no-source", f"{prefix} is outside {self._prefixes[source_id]}, where the source's files are"
            )


def refused(request: FinishedRequest, rejected: Rejected, *, now: datetime) -> RequestEnd:
    """The answer to a request that is not carried out."""
    return _end(request, "rejected", f"{rejected.reason}: {rejected.detail}", None, now=now)


def answered(finished: FinishedRequest, source: SourceName | None, *, now: datetime) -> RequestEnd:
    """The answer to a request at its end."""
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
