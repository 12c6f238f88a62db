"""Where is my batch?"""

from collections.abc import Sequence
from datetime import datetime

from router.rules.explanation.answer import Explanation, Moment, Standing, Verdict, in_words, when_due
from router.rules.explanation.known import KnownAttempt, KnownBatch


def explain_batch(batch: KnownBatch, *, now: datetime, away: str | None = None) -> Explanation:
    """The answer for a batch; `away` is what it needs and does not answer."""
    begun = f"split from {batch.split_from}" if batch.split_from else "cut"
    history = [Moment(batch.cut, f"{begun}, {batch.files} files, lane {batch.lane}")]
    for attempt in batch.attempts:
        history += moments_of(attempt)
    if batch.ended is None:
        return Explanation(batch.id, *verdict_in_flight(batch, in_words(now - batch.cut), now, away), history)
    if batch.halves:
        return Explanation(batch.id, *_split(batch, now), history)
    standing: Standing = "loaded" if batch.outcome in {"loaded", "previewed"} else "needs a person"
    why = batch.reason or (f"its files are in {batch.table}" if batch.files else "it has shown its file's first rows")
    commands = [] if standing == "loaded" else [f"autoloader retry {batch.id}   (what was not loaded, once more)"]
    return Explanation(batch.id, standing, batch.outcome or "ended", why, "nothing", commands, history)


def _split(batch: KnownBatch, now: datetime) -> "Verdict":
    """It stands where the worst of its halves stands."""
    halves = {half.id: explain_batch(half, now=now).standing for half in batch.halves}
    order: Sequence[Standing] = ("loaded", "waiting", "needs a person")
    worst = max(halves.values(), key=order.index)
    following = f"its files go on in {' and '.join(halves)}" if worst == "waiting" else "nothing"
    commands = [f"autoloader explain {half}" for half, standing in halves.items() if standing != "loaded"]
    if worst == "needs a person":
        commands.append(f"autoloader retry {batch.id}   (what was not loaded, once more)")
    return worst, "split", f"split, so that one file does not fail all: {batch.reason}", following, commands


def verdict_in_flight(batch: KnownBatch, age: str, now: datetime, away: str | None) -> Verdict:
    state = f"in batch {batch.id} in lane {batch.lane}, accepted {age} ago"
    cancel = [f"autoloader cancel {batch.id}"]
    without = f"; away is {away}" if away else ""
    if not batch.attempts:
        why = f"batch {batch.split_from} was split, and this half of it has not begun{without}"
        return "waiting", state, why, "begun when its source has no other batch in flight in its lane", cancel
    attempt = batch.attempts[-1]
    if attempt.ended is not None:
        last = f": {attempt.reason}" if attempt.reason else ""
        due = "when it answers" if away else when_due(batch.due, now)
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
    if attempt.waits_for_quota and attempt.queued is not None:
        why = f"the Job of run {attempt.run_id} has waited for its quota in Kueue for {in_words(now - attempt.queued)}"
        return "waiting", state, why, "begun when it is admitted, however long that takes", cancel
    if attempt.claimed is None:
        return (
            "waiting",
            state,
            f"run {attempt.run_id} waits for a worker of lane {batch.lane}",
            "a worker begins it",
            cancel,
        )
    return "waiting", state, f"run {attempt.run_id} is loading it", "it ends, and is settled", cancel


def moments_of(attempt: KnownAttempt) -> list[Moment]:
    name = f"attempt {attempt.n}" + (" (closing)" if attempt.kind == "close" else "")
    moments = [Moment(attempt.created, f"{name} written")]
    if attempt.submitted:
        moments.append(Moment(attempt.submitted, f"{name} submitted as run {attempt.run_id}"))
    if attempt.claimed:
        moments.append(Moment(attempt.claimed, f"{name} begun" + (f" on {attempt.host}" if attempt.host else "")))
    if attempt.ended:
        why = f": {attempt.cause + ', ' if attempt.cause else ''}{attempt.reason}" if attempt.reason else ""
        moments.append(Moment(attempt.ended, f"{name} {attempt.outcome}{why}"))
    return moments
