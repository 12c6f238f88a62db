"""What becomes of an attempt, by one table: its result in the ledger first, its run in Prefect second.

| result    | run                              | decision                                                  |
|-----------|----------------------------------|-----------------------------------------------------------|
| published | any                              | Loaded                                                    |
| closed    | any                              | Closed                                                    |
| none      | any, the batch is closing        | Close: a person gave it up while it was in flight         |
| other     | any, claimed too long ago        | Again, counted as a crash: it does not come to an end     |
| other     | none yet                         | Wait, after the deadline Void                             |
| other     | cancelling for a minute, cancelled | Close                                                   |
| other     | pending, waiting for quota       | Wait: its deadline counts from its admission              |
|           | scheduled, pending, running      | unclaimed: Wait, after the deadline of its phase Void     |
|           |                                  | claimed: Wait as long as it is heard of, then Again       |
| other     | gone from Prefect                | the same; unclaimed it is looked for a minute             |
| other     | completed, failed, crashed       | Wait while it is heard of and nobody saw its process end; |
|           |                                  | then Again after a pause, counted by cause; too often:    |
|           |                                  | Close; out of memory: once in each size class, then Close |

What crashes, runs out of memory or falls silent and has more than one file is closed only to be split: its files go on
in two halves, and a half that crashes once is split again. Whose load ended a Spark server nobody can say of those that
shared it: after the third time a batch goes on in the lane where it is alone, and what ends there is its own fault.

A run that lives says so in the ledger, every few seconds: that counts, whatever Prefect believes. All times are
durations that the ledger has measured: a router's own clock decides nothing. A preview is no load: where a load would
be closed it is given up, which needs no run.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, assert_never

from router.rules.diagnosis import QUOTA, Diagnosis
from router.rules.patience import Patience, pause
from schemas.config.lanes import Lane
from schemas.manifest import AttemptKind
from schemas.report import Cause, Target

RunPhase = Literal[
    "scheduled", "pending", "running", "cancelling", "completed", "failed", "crashed", "cancelled", "gone"
]
LIVING: frozenset[RunPhase] = frozenset({"scheduled", "pending", "running", "cancelling"})

# A machine that went away takes its runs along, but ten times in a row it is the batch that takes the machines along.
MAX_TRIES: Mapping[Cause, int] = {"crash": 3, "silent": 10, "server-lost": 3, "wrong-data": 1, "cancelled": 1}
# What one file does to all of its batch, without saying which it is.
SPLITTING: AbstractSet[Cause] = frozenset({"crash", "out-of-memory", "silent", "server-lost"})
ISOLATED = 1  # the first size class of a lane in which each run has a Spark of its own; 0: it shares a server
# A run is looked for this long before Prefect's not knowing it counts: its API answers from a replica at times.
GONE_AFTER = timedelta(minutes=1)
# A worker that lives ends a run that is being cancelled within its grace of 30 seconds.
CANCELLED_AFTER = timedelta(minutes=1)
# When the ledger was away nobody could be heard: its runs have this long to be heard again.
LISTEN_FIRST = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class RunState:
    """A flow run as Prefect tells it, and how long it has been so.

    `cause` is what somebody who saw its process end says of that; None when nobody did. `diagnosis` is what Kubernetes
    says of its pod, where it has one and something was said. `is_placed`: that pod is made.
    """

    phase: RunPhase
    message: str = ""
    cause: Cause | None = None
    age: timedelta = timedelta(0)
    diagnosis: Diagnosis | None = None
    is_placed: bool = False

    def held_up(self, patience: Patience) -> str | None:
        """Why it does not begin, where that is known: a category of `rules.diagnosis`."""
        told = self.diagnosis.category if self.diagnosis is not None and self.phase == "pending" else None
        return QUOTA if self.waits_for_quota(patience) else told

    def waits_for_quota(self, patience: Patience) -> bool:
        """Whether its Job stands in a queue for its quota: only what is admitted gets a pod."""
        return patience.queues and self.phase == "pending" and not self.is_placed


@dataclass(frozen=True, slots=True)
class OpenAttempt:
    """An attempt that has not ended, as the ledger tells it; `failures` counts the batch's earlier ones by cause.

    `run_id` is the run that claimed it, else the one that was submitted: a person may have copied that in Prefect.
    `closing` says why its batch is being closed, `trouble` why its run could not be created. `files` counts those of
    the batch, `split_from` names the batch whose half it is. By the ledger's clock: `age` since its run was created,
    `claimed_for` since its claim, `silent` since its run was last heard of; None before the claim. `target` is what
    its run found away. `is_queued`: it waited for quota when it was last looked at.
    """

    batch: str
    n: int
    source_id: str
    lane: Lane
    kind: AttemptKind
    size_class: int
    age: timedelta
    run_id: str | None
    claimed_for: timedelta | None
    silent: timedelta | None
    closing: str | None
    result: Literal["staged", "published", "closed", "previewed"] | None
    cause: Cause | None
    reason: str | None
    failures: Mapping[Cause, int]
    files: int
    split_from: str | None
    target: Target | None = None
    trouble: str | None = None
    is_queued: bool = False


@dataclass(frozen=True, slots=True)
class Wait:
    """The attempt goes on: nothing is to be done yet."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """The batch is in the table; its report tells how each file ended."""


@dataclass(frozen=True, slots=True)
class Closed:
    """The batch is not in the table and never will be."""


@dataclass(frozen=True, slots=True)
class Previewed:
    """The preview is done: the first rows of its file are in the ledger."""


@dataclass(frozen=True, slots=True)
class Again:
    """This attempt failed; the next one is due after a pause, in the high-memory lane for a bigger size class.

    `silent`: not if its run was heard of since, so that it has not been silent for as long any more.
    """

    cause: Cause
    reason: str
    pause: timedelta
    size_class: int | None = None
    silent: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Void:
    """Nobody claimed this attempt in time: once void it cannot be claimed any more, and the next one is due."""

    reason: str


@dataclass(frozen=True, slots=True)
class Close:
    """This attempt failed, and no other will load the batch: the next attempt closes it.

    `split`: only for its files to go on in two halves, so that one that fails all does not fail the others.
    """

    cause: Cause
    reason: str
    split: bool = False


@dataclass(frozen=True, slots=True)
class GiveUp:
    """This preview failed, and will not be tried again."""

    cause: Cause
    reason: str


Decision = Wait | Loaded | Closed | Previewed | Again | Void | Close | GiveUp
ENDINGS: Mapping[str | None, Decision] = {"published": Loaded(), "closed": Closed(), "previewed": Previewed()}


def decide(
    attempt: OpenAttempt, run: RunState | None, *, patience: Patience, listening: timedelta, last_class: int
) -> Decision:
    """What becomes of an attempt. `run` is None when Prefect was not asked or the run is not created yet.

    `listening`: so long the ledger has answered without a break. `last_class` is the biggest size class that the
    attempt's source may have.
    """
    decision = ENDINGS.get(attempt.result) or _not_reported(attempt, run, patience, listening, last_class)
    if attempt.kind == "preview" and isinstance(decision, Close):
        return GiveUp(decision.cause, decision.reason)
    return decision


def _not_reported(
    attempt: OpenAttempt, run: RunState | None, patience: Patience, listening: timedelta, last_class: int
) -> Decision:
    if attempt.closing is not None and attempt.kind != "close" and attempt.result is None:
        return Close("cancelled", attempt.closing)
    if attempt.claimed_for is not None and attempt.claimed_for >= patience.longest_run:
        return _failed(attempt, "crash", f"it took longer than the longest run: {patience.longest_run}", last_class)
    if attempt.run_id is None and attempt.age >= patience.scheduled:
        return Void(f"its run could not be created within {patience.scheduled}: {attempt.trouble or 'nobody tried'}")
    if run is None:
        return Wait()
    if run.phase == "cancelled" or (run.phase == "cancelling" and run.age >= CANCELLED_AFTER):
        return _failed(attempt, "cancelled", run.message or "cancelled in Prefect", last_class)
    if _is_to_be_diagnosed(run, patience):
        return Wait()
    if attempt.claimed_for is None:
        return _unclaimed(attempt, run, patience, last_class)
    is_diagnosed = run.diagnosis is not None and run.diagnosis.cause is not None and run.phase not in LIVING
    is_over = run.cause is not None or is_diagnosed or (attempt.cause is not None and run.phase not in LIVING)
    if not is_over and _is_heard_of(attempt, run, patience, listening):
        return Wait()
    return _failed(attempt, *_end(attempt, run, last_class), last_class)


def _unclaimed(attempt: OpenAttempt, run: RunState, patience: Patience, last_class: int) -> Decision:
    """Void is safe however early, because what is void cannot be claimed. But a machine out of breath needs longer."""
    patient = min(patience.pending * 2 ** min(attempt.failures.get("infrastructure", 0), 16), patience.scheduled)
    match run.phase:
        case "scheduled":
            is_late, what = attempt.age >= patience.scheduled, f"no worker began it within {patience.scheduled}"
        case "cancelling":
            return Wait()
        case "pending" | "running":
            is_over = run.age >= patient or (attempt.age >= patience.scheduled + patient and not patience.queues)
            is_late = is_over and not run.waits_for_quota(patience)
            what = f"a worker took it, and its run did not begin within {patient}"
        case "gone" if run.age < GONE_AFTER:
            return Wait()
        case "completed" | "failed" | "crashed" | "cancelled" | "gone":
            return _failed(attempt, *_end(attempt, run, last_class), last_class)
        case _:
            assert_never(run.phase)
    if run.diagnosis is not None:
        what = f"{what}; {run.diagnosis.words}"
    return Void(what) if is_late else Wait()


def _is_to_be_diagnosed(run: RunState, patience: Patience) -> bool:
    """Of a pod that is gone Kubernetes says why a little later than that."""
    is_untold = run.phase == "crashed" and run.diagnosis is None and run.cause in {None, "crash"}
    return is_untold and run.age < patience.diagnosis


def _is_heard_of(attempt: OpenAttempt, run: RunState, patience: Patience, listening: timedelta) -> bool:
    """Of a run of an older version, which says nothing in the ledger, Prefect is believed."""
    if attempt.silent is None:
        return run.phase in LIVING
    return attempt.silent < patience.silent or listening < min(LISTEN_FIRST, patience.silent)


def _end(attempt: OpenAttempt, run: RunState, last_class: int) -> tuple[Cause, str]:
    """The run's own word; else of who saw its process end; else it was not heard of any more, or never began.

    Who is killed for memory cannot say so: he may have said that he was told to stop.
    """
    told = run.diagnosis
    if told is not None and told.cause is not None and attempt.cause in {None, "crash", "infrastructure"}:
        return told.cause, told.words
    if attempt.cause is not None and attempt.reason is not None:
        return attempt.cause, attempt.reason
    reason = f"the run {run.phase}: {run.message or 'without a message'}"
    if attempt.claimed_for is None or run.phase == "gone":
        return "infrastructure", reason
    if run.cause is None:
        return ("crash", reason) if attempt.silent is None else ("silent", f"nothing was heard of it, and {reason}")
    # Killed in the biggest class it may have been the memory, or a person: that is a crash, of which there are three.
    is_guess = run.cause == "out-of-memory" and attempt.size_class >= last_class
    return "crash" if is_guess else run.cause, reason


def _failed(attempt: OpenAttempt, cause: Cause, reason: str, last_class: int) -> Decision:
    wait = pause(attempt.batch, attempt.n, tries := attempt.failures.get(cause, 0) + 1)
    silent = attempt.silent if cause == "silent" else None
    if attempt.kind == "close":
        return Again(cause, reason, wait, silent=silent)
    if cause == "out-of-memory" and attempt.kind == "load" and attempt.size_class < last_class:
        return Again(cause, reason, wait, attempt.size_class + 1)
    if cause == "server-lost" and attempt.kind == "load" and attempt.size_class < ISOLATED:
        return Again(cause, reason, wait, ISOLATED if tries >= MAX_TRIES[cause] else None)
    if cause == "out-of-memory" or tries >= _most_tries(attempt, cause, tries + 1):
        return Close(cause, _told(attempt, reason, tries), split=cause in SPLITTING and attempt.files > 1)
    return Again(cause, reason, wait, silent=silent)


def _most_tries(attempt: OpenAttempt, cause: Cause, otherwise: int) -> int:
    """What is left of a batch that crashed three times need not crash three times once more to be split."""
    is_half = attempt.split_from is not None and attempt.files > 1
    return 1 if cause == "crash" and is_half else MAX_TRIES.get(cause, otherwise)


def _told(attempt: OpenAttempt, reason: str, tries: int) -> str:
    """How often, and of a file that is alone how that was found."""
    told = [f"{tries} times"] if tries > 1 else []
    if attempt.split_from is not None and attempt.files == 1:
        told.append(f"found by splitting batch {attempt.split_from} until this file was alone")
    return f"{reason} ({', '.join(told)})" if told else reason
