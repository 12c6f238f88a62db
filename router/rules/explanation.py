"""Where is my file? The state, why, what happens next, what a person can do, and the history."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from router.errors import Rejected
from router.rules.looking import PAUSES
from schemas.config import Lane

Standing = Literal["loaded", "waiting", "needs a person"]


@dataclass(frozen=True, slots=True)
class Moment:
    """A line of the history."""

    at: datetime
    what: str


@dataclass(frozen=True, slots=True)
class KnownAttempt:
    """An attempt of the file's batch; `trouble` is why Prefect has not created its run."""

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
    trouble: str | None = None


@dataclass(frozen=True, slots=True)
class KnownBatch:
    """The batch the file went into. `files` counts those of it; a preview has none.

    `halves` are the batches its files went on in when it was split, `split_from` is the one whose half it is.
    """

    id: str
    lane: Lane
    table: str
    files: int
    cut: datetime
    due: datetime
    closing: str | None
    ended: datetime | None
    outcome: str | None
    reason: str | None
    attempts: Sequence[KnownAttempt]
    splitting: bool = False
    split_from: str | None = None
    halves: Sequence["KnownBatch"] = ()
    source_id: str = ""


@dataclass(frozen=True, slots=True)
class KnownFile:
    """All the ledger knows of one version of a file in one source. `size` is None while it is to be measured.

    `due`: when its object is looked at, once more if it has ended without a load. `misses`: how often it was not there.
    """

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
    lane: Lane = "default"
    requests: Sequence[str] = ()
    misses: int = 0


@dataclass(frozen=True, slots=True)
class KnownRequest:
    """All the ledger knows of a request. `files_total` counts those known so far; `trouble` is that of its listing."""

    id: str
    kind: str
    producer: str
    source_id: str | None
    position: str
    accepted: datetime
    deadline: datetime | None
    trouble: str | None
    listed: datetime | None
    ended: datetime | None
    outcome: str | None
    reason: str | None
    files_done: int
    files_total: int
    oldest_open: str | None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What else decides when a waiting file goes.

    `in_flight`: the batch its source has in its lane. `slots`: how many its lane has, `taken` how many of them are.
    `away`: what its batches need and does not answer.
    """

    source: str
    in_flight: str | None
    router_alive: bool
    paused: datetime | None = None
    paused_by: str | None = None
    taken: int = 0
    slots: int = 1
    min_wait: timedelta = timedelta(0)
    commit_interval: timedelta = timedelta(0)
    away: str | None = None


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
    held_up: Sequence[str] = ()
    checked: Sequence[str] = ()


def explain(file: KnownFile, around: Surroundings, *, now: datetime) -> Explanation:
    """The answer for a file the ledger knows."""
    standing, state, why, following, commands = _verdict(file, around, now)
    held_up = [f"request {request}" for request in file.requests] if standing != "loaded" else []
    return Explanation(file.uri, standing, state, why, following, commands, _history(file), held_up)


def explain_batch(batch: KnownBatch, *, now: datetime, away: str | None = None) -> Explanation:
    """The answer for a batch; `away` is what it needs and does not answer."""
    begun = f"split from {batch.split_from}" if batch.split_from else "cut"
    history = [Moment(batch.cut, f"{begun}, {batch.files} files, lane {batch.lane}")]
    for attempt in batch.attempts:
        history += _moments(attempt)
    if batch.ended is None:
        return Explanation(batch.id, *_in_flight(batch, _span(now - batch.cut), now, away), history)
    if batch.halves:
        return Explanation(batch.id, *_split(batch, now), history)
    standing: Standing = "loaded" if batch.outcome in {"loaded", "previewed"} else "needs a person"
    why = batch.reason or (f"its files are in {batch.table}" if batch.files else "it has shown its file's first rows")
    commands = [] if standing == "loaded" else [f"autoloader retry {batch.id}   (what was not loaded, once more)"]
    return Explanation(batch.id, standing, batch.outcome or "ended", why, "nothing", commands, history)


def _split(batch: KnownBatch, now: datetime) -> "_Verdict":
    """It stands where the worst of its halves stands."""
    halves = {half.id: explain_batch(half, now=now).standing for half in batch.halves}
    order: Sequence[Standing] = ("loaded", "waiting", "needs a person")
    worst = max(halves.values(), key=order.index)
    following = f"its files go on in {' and '.join(halves)}" if worst == "waiting" else "nothing"
    commands = [f"autoloader explain {half}" for half, standing in halves.items() if standing != "loaded"]
    if worst == "needs a person":
        commands.append(f"autoloader retry {batch.id}   (what was not loaded, once more)")
    return worst, "split", f"split, so that one file does not fail all: {batch.reason}", following, commands


def explain_request(request: KnownRequest, *, now: datetime) -> Explanation:
    """The answer for a request."""
    history = [Moment(request.accepted, f"{request.kind} asked by {request.producer}, at {request.position}")]
    if request.listed is not None:
        history.append(Moment(request.listed, f"all its files are known: {request.files_total}"))
    if request.ended is not None:
        history.append(Moment(request.ended, f"answered: {request.outcome}"))
    return Explanation(request.id, *_of_request(request, now), history)


def _of_request(request: KnownRequest, now: datetime) -> "_Verdict":
    done = f"{request.files_done} of {request.files_total} files have ended"
    if request.ended is not None:
        standing: Standing = "loaded" if request.outcome in {"loaded", "previewed", "done"} else "needs a person"
        commands = [f"autoloader retry {request.id}"] if request.outcome in {"partly-loaded", "nothing-loaded"} else []
        return standing, str(request.outcome), request.reason or done, "nothing", commands
    state = f"open for {_span(now - request.accepted)}"
    until = f", given up in {_span(request.deadline - now)}" if request.deadline else ""
    cancel = f"autoloader cancel {request.id}"
    if request.trouble is not None:
        return "waiting", state, f"its files are not listed yet: {request.trouble}", f"tried again{until}", [cancel]
    if request.kind == "preview":
        return "waiting", state, "its file has not been looked at yet", f"answered when it has{until}", [cancel]
    if request.listed is None:
        return "waiting", state, "its files are being listed", f"they are loaded, then it is answered{until}", [cancel]
    look = [f"autoloader explain {request.oldest_open}"] if request.oldest_open else []
    return "waiting", state, done, f"answered when all have{until}", [*look, cancel]


def explain_unknown(
    uri: str, rejected: Rejected | None, exists: bool | None, only_requested: str | None = None
) -> Explanation:
    """The nearest reason for a URI the ledger does not know; `exists` is None when the storage was not asked.

    `only_requested` names a source that takes the file, but only when somebody asks.
    """
    if rejected is not None:
        fix = "add a source, or a prefix to `allow`, in autoloader.yaml; then send its event again"
        return Explanation(
            uri, "needs a person", "not known", f"{rejected.reason}: {rejected.detail}", "nothing", [fix], []
        )
    if exists and only_requested:
        why, fix = f"{only_requested} loads only what is requested", f"autoloader request {only_requested} {uri}"
    elif exists:
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
        return _ended(file, around, now)
    if file.size is None:
        return _unmeasured(file, age, now)
    if file.batch is None:
        return _waiting(file, around, age, now)
    return _in_flight(file.batch, age, now, around.away)


def _ended(file: KnownFile, around: Surroundings, now: datetime) -> _Verdict:
    why = file.reason or "no reason was recorded"
    request = f"autoloader request {around.source} {file.uri}   (what is there now)"
    commands = {
        "quarantined": [
            "mend the file and land it again: new content is a new version",
            f"autoloader retry {file.uri}",
        ],
        "failed": [f"mend what the reason names, then: autoloader retry {file.uri}"],
        "missing": ["land it again", request],
        "removed": ["land it again", request],
        "superseded": [request],
    }.get(file.outcome or "", [])
    if file.due is not None:
        looked = f"its object is looked at {_in(file.due, now)}, and what is there then is loaded"
        return "waiting", str(file.outcome), why, looked, commands
    return "needs a person", str(file.outcome), why, "nothing", commands


def _unmeasured(file: KnownFile, age: str, now: datetime) -> _Verdict:
    state, following = f"to be measured, for {age}", f"asked again {_in(file.due, now)}"
    if file.misses and not file.reason:
        left = len(PAUSES) - file.misses
        why = f"it was announced, but is not there: looked for {file.misses} times"
        after = f", then {left} times more" if left else ", for the last time"
        return "waiting", state, why, following + after, ["check its name, or land it"]
    why = f"its event told no size or version; the storage is asked ({file.reason or 'no trouble so far'})"
    return "waiting", state, why, following, []


def _in(due: datetime | None, now: datetime) -> str:
    return "now" if due is None or due <= now else f"in {_span(due - now)}"


def _waiting(file: KnownFile, around: Surroundings, age: str, now: datetime) -> _Verdict:
    state = f"waiting for {age} in lane {file.lane}"
    if not around.router_alive:
        return "waiting", state, "no router holds the lease for scheduling", "when a router runs", ["autoloader router"]
    if around.paused is not None:
        why = f"its source {around.source} is paused by {around.paused_by} for {_span(now - around.paused)}"
        return "waiting", state, why, "nothing, until it is resumed", [f"autoloader resume {around.source}"]
    if around.away is not None:
        return "waiting", state, f"away is {around.away}", "one batch tries now and then; all go on when it answers", []
    hurry = [] if file.lane == "priority" else [f"autoloader request {around.source} {file.uri}   (to the front)"]
    if around.in_flight:
        why = f"its source has batch {around.in_flight} in flight; what arrives meanwhile is the next batch"
        look = f"autoloader explain {around.in_flight}"
        return "waiting", state, why, f"cut when {around.in_flight} has ended", [look, *hurry]
    if around.taken >= around.slots:
        why = f"{around.taken} of {around.slots} slots of its lane are taken"
        return (
            "waiting",
            state,
            why,
            "cut when a slot is free and it is its source's turn",
            ["autoloader status", *hurry],
        )
    if now - file.accepted < around.min_wait:
        why = f"its source waits {_span(around.min_wait)} for company (min_wait)"
        return "waiting", state, why, f"cut in {_span(around.min_wait - (now - file.accepted))} at the latest", hurry
    why = f"it came just now, or its table has had its commits (one each {_span(around.commit_interval)} after a burst)"
    return "waiting", state, why, "cut within seconds", hurry


def _in_flight(batch: KnownBatch, age: str, now: datetime, away: str | None) -> _Verdict:
    state = f"in batch {batch.id} in lane {batch.lane}, accepted {age} ago"
    cancel = [f"autoloader cancel {batch.id}"]
    without = f"; away is {away}" if away else ""
    if not batch.attempts:
        why = f"batch {batch.split_from} was split, and this half of it has not begun{without}"
        return "waiting", state, why, "begun when its source has no other batch in flight in its lane", cancel
    attempt = batch.attempts[-1]
    if attempt.ended is not None:
        last = f": {attempt.reason}" if attempt.reason else ""
        due = "when it answers" if away else _in(batch.due, now)
        following = "split" if batch.splitting else "closed" if batch.closing else "tried again"
        return "waiting", state, f"attempt {attempt.n} failed{last}{without}", f"{following} {due}", cancel
    if batch.closing:
        return (
            "waiting",
            state,
            f"the batch is being closed: {batch.closing}",
            ("its files go on in two halves" if batch.splitting else "it ends as failed") + ", unless it is loaded",
            [],
        )
    if attempt.run_id is None:
        why = f"attempt {attempt.n} is written, Prefect has not created its run"
        if attempt.trouble:
            return "waiting", state, f"{why}: {attempt.trouble}", "tried again within half a minute", cancel
        return "waiting", state, why, "created at once", cancel
    if attempt.claimed is None:
        return (
            "waiting",
            state,
            f"run {attempt.run_id} waits for a worker of lane {batch.lane}",
            "a worker begins it",
            cancel,
        )
    return "waiting", state, f"run {attempt.run_id} is loading it", "it ends, and is settled", cancel


def _history(file: KnownFile) -> Sequence[Moment]:
    moments = [
        Moment(file.landed, "landed"),
        Moment(file.accepted, f"recorded for source {file.source_id}, from {file.position or 'a listing'}"),
    ]
    if file.batch is not None:
        moments.append(
            Moment(
                file.batch.cut,
                f"{'split' if file.batch.split_from else 'cut'} into batch {file.batch.id} of {file.batch.files} "
                f"files, lane {file.batch.lane}",
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
