"""Where is my file?"""

from collections.abc import Sequence
from datetime import datetime

from router.errors import Rejected
from router.rules.explanation.answer import Explanation, Moment, Verdict, in_words, when_due
from router.rules.explanation.batch import moments_of, verdict_in_flight
from router.rules.explanation.known import KnownFile, Surroundings
from router.rules.looking import PAUSES


def explain(file: KnownFile, around: Surroundings, *, now: datetime) -> Explanation:
    """The answer to "where is my file?" for one that the ledger knows."""
    standing, state, why, following, commands = _verdict(file, around, now)
    held_up = [f"request {request}" for request in file.requests] if standing != "loaded" else []
    return Explanation(file.uri, standing, state, why, following, commands, _history(file), held_up)


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


def _verdict(file: KnownFile, around: Surroundings, now: datetime) -> Verdict:
    age = in_words(now - file.accepted)
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
    return verdict_in_flight(file.batch, age, now, around.away)


def _ended(file: KnownFile, around: Surroundings, now: datetime) -> Verdict:
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
        looked = f"its object is looked at {when_due(file.due, now)}, and what is there then is loaded"
        return "waiting", str(file.outcome), why, looked, commands
    return "needs a person", str(file.outcome), why, "nothing", commands


def _unmeasured(file: KnownFile, age: str, now: datetime) -> Verdict:
    state, following = f"to be measured, for {age}", f"asked again {when_due(file.due, now)}"
    if file.misses and not file.reason:
        left = len(PAUSES) - file.misses
        why = f"it was announced, but is not there: looked for {file.misses} times"
        after = f", then {left} times more" if left else ", for the last time"
        return "waiting", state, why, following + after, ["check its name, or land it"]
    why = f"its event told no size or version; the storage is asked ({file.reason or 'no trouble so far'})"
    return "waiting", state, why, following, []


def _waiting(file: KnownFile, around: Surroundings, age: str, now: datetime) -> Verdict:
    state = f"waiting for {age} in lane {file.lane}"
    if not around.router_alive:
        return "waiting", state, "no router holds the lease for scheduling", "when a router runs", ["autoloader router"]
    if around.paused is not None:
        why = f"its source {around.source} is paused by {around.paused_by} for {in_words(now - around.paused)}"
        return "waiting", state, why, "nothing, until it is resumed", [f"autoloader resume {around.source}"]
    if around.away is not None:
        return "waiting", state, f"away is {around.away}", "one batch tries now and then; all go on when it answers", []
    hurry = [] if file.lane == "priority" else [f"autoloader request {around.source} {file.uri}   (to the front)"]
    if around.in_flight:
        why = f"its source has batch {around.in_flight} in flight; what arrives meanwhile is the next batch"
        look = f"autoloader explain {around.in_flight}"
        return "waiting", state, why, f"cut when {around.in_flight} is staged or has ended", [look, *hurry]
    if around.slots == 0:
        why = f"no worker of lane {file.lane} is online, and its slots are those of its workers (follow_workers)"
        return "waiting", state, why, "cut when one is", ["autoloader status", *hurry]
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
        why = f"its source waits {in_words(around.min_wait)} for company (min_wait)"
        return "waiting", state, why, f"cut in {in_words(around.min_wait - (now - file.accepted))} at the latest", hurry
    interval = in_words(around.commit_interval)
    why = f"it came just now, or its table has had its commits (one each {interval} after a burst)"
    return "waiting", state, why, "cut within seconds", hurry


def _history(file: KnownFile) -> Sequence[Moment]:
    recorded = f"recorded for source {file.source_id}, from {file.position or 'a listing'}"
    if file.trace is not None:
        recorded += f", trace {file.trace}"
    moments = [Moment(file.landed, "landed"), Moment(file.accepted, recorded)]
    if file.batch is not None:
        moments.append(
            Moment(
                file.batch.cut,
                f"{'split' if file.batch.split_from else 'cut'} into batch {file.batch.id} of {file.batch.files} "
                f"files, lane {file.batch.lane}",
            )
        )
        for attempt in file.batch.attempts:
            moments += moments_of(attempt)
        if file.batch.ended:
            moments.append(Moment(file.batch.ended, f"batch ended; this file: {file.outcome}"))
    return sorted(moments, key=lambda moment: moment.at)
