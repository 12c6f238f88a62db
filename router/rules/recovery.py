"""What becomes of an attempt, by one table: its result in the ledger first, its run in Prefect second.

| result    | run                          | decision                                              |
|-----------|------------------------------|-------------------------------------------------------|
| published | any                          | Loaded                                                |
| closed    | any                          | Closed                                                |
| other     | none yet                     | Wait                                                  |
| none      | any, the batch is closing    | Close: a person gave it up while it was in flight     |
| other     | scheduled, pending, running  | Wait; unclaimed for longer than the deadline: Void    |
| other     | cancelled                    | Close                                                 |
| other     | completed, failed, crashed,  | Again after a pause, counted by cause; too often: Close |
|           | or gone from Prefect         | out of memory: once in each size class, then Close    |

A preview is no load: where a load would be closed it is given up, which needs no run.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Literal, assert_never

from schemas.manifest import AttemptKind
from schemas.report import Cause

RunPhase = Literal["scheduled", "pending", "running", "completed", "failed", "crashed", "cancelled", "gone"]

MAX_TRIES: Mapping[Cause, int] = {"crash": 3, "wrong-data": 1, "cancelled": 1}
FIRST_PAUSE = timedelta(seconds=5)
LONGEST_PAUSE = timedelta(minutes=10)
# A run is looked for this long before Prefect's not knowing it counts: its API answers from a replica at times.
GONE_AFTER = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class RunState:
    """A flow run as Prefect tells it."""

    phase: RunPhase
    message: str = ""


@dataclass(frozen=True, slots=True)
class OpenAttempt:
    """An attempt that has not ended, as the ledger tells it; `failures` counts the batch's earlier ones by cause.

    `run_id` is the run that claimed it, else the one that was submitted: a person may have copied that in Prefect.
    `closing` says why its batch is being closed.
    """

    batch: str
    n: int
    source_id: str
    kind: AttemptKind
    size_class: int
    created: datetime
    run_id: str | None
    claimed: bool
    closing: str | None
    result: Literal["staged", "published", "closed", "previewed"] | None
    cause: Cause | None
    reason: str | None
    failures: Mapping[Cause, int]


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do yet."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """The batch is in the table; its report tells how each file ended."""


@dataclass(frozen=True, slots=True)
class Closed:
    """The batch is not in the table and never will be."""


@dataclass(frozen=True, slots=True)
class Previewed:
    """The first rows of a file are there."""


@dataclass(frozen=True, slots=True)
class Again:
    """This attempt failed; the next one is due then, in the high-memory lane if it needs a bigger size class."""

    cause: Cause
    reason: str
    due: datetime
    size_class: int | None = None


@dataclass(frozen=True, slots=True)
class Void:
    """Nobody claimed this attempt in time: once void it cannot be claimed any more, and the next one is due."""

    reason: str


@dataclass(frozen=True, slots=True)
class Close:
    """This attempt failed, and no other will load the batch: the next attempt closes it."""

    cause: Cause
    reason: str


@dataclass(frozen=True, slots=True)
class GiveUp:
    """This preview failed, and will not be tried again."""

    cause: Cause
    reason: str


Decision = Wait | Loaded | Closed | Previewed | Again | Void | Close | GiveUp
ENDINGS: Mapping[str | None, Decision] = {"published": Loaded(), "closed": Closed(), "previewed": Previewed()}


def decide(
    attempt: OpenAttempt, run: RunState | None, *, now: datetime, start_deadline: timedelta, last_class: int
) -> Decision:
    """What becomes of an attempt. `run` is None when Prefect was not asked or the run is not created yet.

    `last_class` is the biggest size class that the attempt's source may have.
    """
    decision = ENDINGS.get(attempt.result) or _not_reported(attempt, run, now, start_deadline, last_class)
    if attempt.kind == "preview" and isinstance(decision, Close):
        return GiveUp(decision.cause, decision.reason)
    return decision


def _not_reported(
    attempt: OpenAttempt, run: RunState | None, now: datetime, start_deadline: timedelta, last_class: int
) -> Decision:
    if attempt.closing is not None and attempt.kind != "close" and attempt.result is None:
        return Close("cancelled", attempt.closing)
    if run is None:
        return Wait()
    match run.phase:
        case "scheduled" | "pending" | "running":
            if attempt.claimed or now - attempt.created < start_deadline:
                return Wait()
            return Void(f"no worker began it within {start_deadline}")
        case "gone" if now - attempt.created < GONE_AFTER:
            return Wait()
        case "cancelled" if attempt.kind != "close":
            return Close("cancelled", run.message or "cancelled in Prefect")
        case "completed" | "failed" | "crashed" | "gone" | "cancelled":
            return _failed(attempt, run, now, last_class)
        case _:
            assert_never(run.phase)


def _failed(attempt: OpenAttempt, run: RunState, now: datetime, last_class: int) -> Decision:
    cause = _cause(attempt)
    reason = attempt.reason or f"the run {run.phase}: {run.message or 'without a message'}"
    tries = attempt.failures.get(cause, 0) + 1
    due = now + pause(attempt.batch, attempt.n, tries)
    if attempt.kind == "close":
        return Again(cause, reason, due)
    if cause == "out-of-memory" and attempt.size_class < last_class:
        return Again(cause, reason, due, attempt.size_class + 1)
    if cause == "out-of-memory" or tries >= MAX_TRIES.get(cause, tries + 1):
        return Close(cause, f"{reason} ({tries} times)" if tries > 1 else reason)
    return Again(cause, reason, due)


def _cause(attempt: OpenAttempt) -> Cause:
    """The run's own word; else a crash, or, when it never began, the infrastructure that did not start it."""
    if attempt.cause is not None:
        return attempt.cause
    return "crash" if attempt.claimed else "infrastructure"


def pause(batch: str, n: int, tries: int) -> timedelta:
    """The wait before the next attempt: doubled each time up to a cap, spread by a hash of batch and attempt."""
    spread = 1 + blake2b(f"{batch}/{n}".encode(), digest_size=1).digest()[0] / 1024
    doubled: timedelta = FIRST_PAUSE * 2 ** min(tries - 1, 16)
    return min(doubled, LONGEST_PAUSE) * spread
