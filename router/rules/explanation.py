"""Where is my file? The state, why, what happens next, what a person can do, and the history."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from router.errors import Rejected

Standing = Literal["loaded", "waiting", "needs a person"]


@dataclass(frozen=True, slots=True)
class Moment:
    """A line of the history."""

    at: datetime
    what: str


@dataclass(frozen=True, slots=True)
class KnownAttempt:
    """An attempt of the file's batch."""

    n: int
    kind: str
    created: datetime
    submitted: datetime | None
    claimed: datetime | None
    ended: datetime | None
    outcome: str | None
    cause: str | None
    reason: str | None
    run_id: str | None


@dataclass(frozen=True, slots=True)
class KnownBatch:
    """The batch the file went into."""

    id: str
    lane: str
    table: str
    files: int
    cut: datetime
    due: datetime
    closing: str | None
    ended: datetime | None
    outcome: str | None
    reason: str | None
    attempts: Sequence[KnownAttempt]


@dataclass(frozen=True, slots=True)
class KnownFile:
    """All the ledger knows of one version of a file in one source. `size` is None while it is to be measured."""

    source_id: str
    uri: str
    version: str
    size: int | None
    landed: datetime
    accepted: datetime
    position: str | None
    outcome: str | None
    rows: int | None
    reason: str | None
    due: datetime | None
    batch: KnownBatch | None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What else decides when a waiting file goes: the batch its source has in flight, and whether a router runs."""

    in_flight: str | None
    router_alive: bool


@dataclass(frozen=True, slots=True)
class Explanation:
    """The answer, in the order in which it is read."""

    what: str
    standing: Standing
    state: str
    why: str
    next: str
    you_can: Sequence[str]
    history: Sequence[Moment]


def explain(file: KnownFile, around: Surroundings, *, now: datetime) -> Explanation:
    """The answer for a file the ledger knows."""
    standing, state, why, following, commands = _verdict(file, around, now)
    return Explanation(file.uri, standing, state, why, following, commands, _history(file))


def explain_batch(batch: KnownBatch, *, now: datetime) -> Explanation:
    """The answer for a batch."""
    history = [Moment(batch.cut, f"cut, {batch.files} files, lane {batch.lane}")]
    for attempt in batch.attempts:
        history += _moments(attempt)
    if batch.ended is None:
        return Explanation(batch.id, *_in_flight(batch, _span(now - batch.cut), now), history)
    standing: Standing = "loaded" if batch.outcome == "loaded" else "needs a person"
    why = batch.reason or f"its files are in {batch.table}"
    return Explanation(batch.id, standing, batch.outcome or "ended", why, "nothing", [], history)


def explain_unknown(uri: str, rejected: Rejected | None, exists: bool | None) -> Explanation:
    """The nearest reason for a URI the ledger does not know; `exists` is None when the storage was not asked."""
    if rejected is not None:
        fix = "add a source, or a prefix to `allow`, in autoloader.yaml; then send its event again"
        return Explanation(
            uri, "needs a person", "not known", f"{rejected.reason}: {rejected.detail}", "nothing", [fix], []
        )
    if exists:
        why, fix = "it exists, but no event for it has come", "autoloader land SOURCE FILE, or send its event"
    else:
        why, fix = "no event for it has come, and it does not exist", "check the name"
    return Explanation(uri, "needs a person", "not known", why, "nothing, until an event comes", [fix], [])


_Verdict = tuple[Standing, str, str, str, Sequence[str]]


def _verdict(file: KnownFile, around: Surroundings, now: datetime) -> _Verdict:
    age = _span(now - file.accepted)
    if file.outcome == "loaded":
        batch = file.batch.id if file.batch else "?"
        table = file.batch.table if file.batch else "its table"
        return "loaded", "loaded", f"{file.rows} rows are in {table} (batch {batch})", "nothing", []
    if file.outcome is not None:
        return _ended(file)
    if file.size is None:
        return _unmeasured(file, age, now)
    if file.batch is None:
        return _waiting(around, age)
    return _in_flight(file.batch, age, now)


def _ended(file: KnownFile) -> _Verdict:
    why = file.reason or "no reason was recorded"
    commands = {
        "quarantined": ["mend the file and land it again: new content is a new version"],
        "failed": ["mend what the reason names and land the files again with new content"],
        "missing": ["land it again"],
        "removed": ["land it again"],
        "superseded": ["look at the newer version of the file"],
    }.get(file.outcome or "", [])
    return "needs a person", str(file.outcome), why, "nothing", commands


def _unmeasured(file: KnownFile, age: str, now: datetime) -> _Verdict:
    why = f"its event told no size or version; the storage is asked ({file.reason or 'no trouble so far'})"
    due = "now" if file.due is None or file.due <= now else f"in {_span(file.due - now)}"
    return "waiting", f"to be measured, for {age}", why, f"asked again {due}", []


def _waiting(around: Surroundings, age: str) -> _Verdict:
    state = f"waiting for {age}"
    if not around.router_alive:
        return "waiting", state, "no router holds the lease for scheduling", "when a router runs", ["autoloader router"]
    if around.in_flight:
        why = f"its source has batch {around.in_flight} in flight; what arrives meanwhile is the next batch"
        return (
            "waiting",
            state,
            why,
            f"cut when {around.in_flight} has ended",
            [f"autoloader explain {around.in_flight}"],
        )
    return "waiting", state, "its lane has no free slot, or it came just now", "cut when a slot is free", []


def _in_flight(batch: KnownBatch, age: str, now: datetime) -> _Verdict:
    state = f"in batch {batch.id}, accepted {age} ago"
    attempt = batch.attempts[-1] if batch.attempts else None
    if attempt is None or attempt.ended is not None:
        last = f": {attempt.reason}" if attempt and attempt.reason else ""
        due = "now" if batch.due <= now else f"in {_span(batch.due - now)}"
        return "waiting", state, f"attempt {attempt.n if attempt else 0} failed{last}", f"tried again {due}", []
    if batch.closing:
        return (
            "waiting",
            state,
            f"the batch is being closed: {batch.closing}",
            "it ends as failed, unless it is loaded",
            [],
        )
    if attempt.run_id is None:
        return (
            "waiting",
            state,
            f"attempt {attempt.n} is written, Prefect has not created its run",
            "created at once",
            [],
        )
    if attempt.claimed is None:
        return (
            "waiting",
            state,
            f"run {attempt.run_id} waits for a worker of lane {batch.lane}",
            "a worker begins it",
            [],
        )
    return "waiting", state, f"run {attempt.run_id} is loading it", "it ends, and is settled", []


def _history(file: KnownFile) -> Sequence[Moment]:
    moments = [
        Moment(file.landed, "landed"),
        Moment(file.accepted, f"recorded for source {file.source_id}, from {file.position or 'a listing'}"),
    ]
    if file.batch is not None:
        moments.append(
            Moment(
                file.batch.cut, f"cut into batch {file.batch.id} of {file.batch.files} files, lane {file.batch.lane}"
            )
        )
        for attempt in file.batch.attempts:
            moments += _moments(attempt)
        if file.batch.ended:
            moments.append(Moment(file.batch.ended, f"batch ended; this file: {file.outcome}"))
    return sorted(moments, key=lambda moment: moment.at)


def _moments(attempt: KnownAttempt) -> list[Moment]:
    name = f"attempt {attempt.n}" + (" (closing)" if attempt.kind == "close" else "")
    moments = [Moment(attempt.created, f"{name} written")]
    if attempt.submitted:
        moments.append(Moment(attempt.submitted, f"{name} submitted as run {attempt.run_id}"))
    if attempt.claimed:
        moments.append(Moment(attempt.claimed, f"{name} begun"))
    if attempt.ended:
        why = f": {attempt.cause + ', ' if attempt.cause else ''}{attempt.reason}" if attempt.reason else ""
        moments.append(Moment(attempt.ended, f"{name} {attempt.outcome}{why}"))
    return moments


def _span(span: timedelta) -> str:
    seconds = span.total_seconds()
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
