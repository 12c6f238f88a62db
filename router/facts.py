"""What the stages say has happened: one dataclass a fact. Logs and metrics are made of these, and of nothing else.

A fact's class is the event in the log, in words with underscores: `BatchEnded` is logged as `batch_ended`, and counted
so in `autoloader_facts_total`. Its fields are the keys of that line, in their order; `count` says how many things the
one fact stands for, and is 1 where there is no such field. A reader of the log finds each under "Facts" in
docs/troubleshooting.md.

To add one: a class here, its name in `Fact`; mypy then asks `adapters/metrics.py` whether it counts elsewhere too, and
the tests ask for its line and its documentation.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Literal

from router.errors import Reason
from schemas.completions import BatchOutcome, RequestOutcome
from schemas.config.lanes import Lane
from schemas.events.requests import RequestKind

Next = Literal["again", "void", "close"]


@dataclass(frozen=True, slots=True)
class EventsRecorded:
    """The ledger has what a portion of a poll announced, `count` files; those neither new nor to measure it knew."""

    count: int
    records: int
    new_files: int
    to_measure: int


@dataclass(frozen=True, slots=True)
class EventsUnmatched:
    """Events of a shared topic named files that no source wants; whoever misses a load looks at `match` first."""

    count: int


@dataclass(frozen=True, slots=True)
class RecordsDeadLettered:
    """Inputs could not be used, and a dead letter tells of each what is wrong, which its producer has to mend."""

    count: int
    reason: Reason


@dataclass(frozen=True, slots=True)
class RemovalsRecorded:
    """Events told that files which are not loaded are gone: the storage is asked before that is believed."""

    count: int


@dataclass(frozen=True, slots=True)
class ArrivalsMeasured:
    """The storage has told what `count` objects are now; `new_files` of them had not been recorded as that version."""

    count: int
    new_files: int


@dataclass(frozen=True, slots=True)
class ObjectsNotThere:
    """The storage knows no such objects; those not `looked_at_again` are missing for good, or were removed."""

    count: int
    looked_at_again: int


@dataclass(frozen=True, slots=True)
class FilesRemoved:
    """Files ended without a load, because their objects were removed before it."""

    count: int


@dataclass(frozen=True, slots=True)
class FilesNotConfigured:
    """Files ended without a load, because the configuration has changed and their source does not take them now."""

    count: int
    source: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class MeasuringFailed:
    """The storage did not answer for `count` objects, which are looked at again later; `trouble` is that of one."""

    count: int
    trouble: str


@dataclass(frozen=True, slots=True)
class RequestsRecorded:
    """Requests were read from their topic; those not `new` had been recorded under the same id."""

    count: int
    new: int


@dataclass(frozen=True, slots=True)
class RequestListed:
    """A part of what a request asks for was found, `count` files, and is on its way."""

    count: int
    request: str
    kind: RequestKind


@dataclass(frozen=True, slots=True)
class ListingFailed:
    """What a request asks for could not be found just now; it is tried again later."""

    request: str
    trouble: str


@dataclass(frozen=True, slots=True)
class RequestEnded:
    """A request is answered by a completion event, whichever stage found that it is at its end."""

    request: str
    kind: RequestKind
    outcome: RequestOutcome
    reason: str | None


@dataclass(frozen=True, slots=True)
class RequestsGivenUp:
    """Requests wait for sources that are configured no more, so they will be answered as given up."""

    count: int
    reason: Literal["unknown-source"]


@dataclass(frozen=True, slots=True)
class LeaseTaken:
    """This router does the work of a role from now on; often means that routers lose the ledger in turns."""

    role: str
    epoch: int


@dataclass(frozen=True, slots=True)
class AttemptSubmitted:
    """Prefect has a run for an attempt: from here its log goes on under that run."""

    source: str
    batch: str
    attempt: int
    run: str
    lane: Lane


@dataclass(frozen=True, slots=True)
class SubmissionFailed:
    """Prefect made no run for an attempt; it is tried again later, and after its deadline the attempt is void."""

    source: str
    batch: str
    attempt: int
    lane: Lane
    trouble: str


@dataclass(frozen=True, slots=True)
class AttemptFailed:
    """An attempt ended without a load: `again` there is another, `void` nobody began it, `close` it was the last."""

    batch: str
    attempt: int
    next: Next
    reason: str


@dataclass(frozen=True, slots=True)
class BatchEnded:
    """A batch is at its end, and its completion event tells of each file. Spans are None where they are not known.

    `traces` are the ids of its files' traces, a hundred at most."""

    source: str
    batch: str
    attempt: int
    lane: str
    outcome: BatchOutcome
    reason: str | None
    files: int
    files_loaded: int
    rows: int
    run: str | None = None
    seconds_event_to_submit: float | None = None
    seconds_submit_to_start: float | None = None
    seconds_load: float | None = None
    seconds_landed_to_queryable: float | None = None
    traces: str | None = None


@dataclass(frozen=True, slots=True)
class RunNotCancelled:
    """A run whose attempt has ended could not be stopped in Prefect: it goes on for nothing, and can do no harm."""

    run: str
    trouble: str


@dataclass(frozen=True, slots=True)
class SweepRepaired:
    """A sweep settled what no webhook had told of; more than a few mean that webhooks are lost."""

    count: int


@dataclass(frozen=True, slots=True)
class BreakerOpened:
    """Loads found a bucket, catalog or Spark Connect away again and again: nothing that needs it begins for a while."""

    target: str
    pause_seconds: float
    reason: str


@dataclass(frozen=True, slots=True)
class BreakerClosed:
    """What was away is there again, and all that needs it goes on."""

    target: str


@dataclass(frozen=True, slots=True)
class EventsPublished:
    """The broker has acknowledged completions and dead letters, so they left the outbox."""

    count: int


@dataclass(frozen=True, slots=True)
class EventsShortened:
    """Events were too large for the broker, and will be sent with fewer files named."""

    count: int


@dataclass(frozen=True, slots=True)
class EventSetAside:
    """The broker refuses an event however short it is: the owner of its topic has to mend that; it is tried again."""

    topic: str
    event_id: str
    reason: str


Fact = (
    EventsRecorded
    | EventsUnmatched
    | RecordsDeadLettered
    | RemovalsRecorded
    | ArrivalsMeasured
    | ObjectsNotThere
    | FilesRemoved
    | FilesNotConfigured
    | MeasuringFailed
    | RequestsRecorded
    | RequestListed
    | ListingFailed
    | RequestEnded
    | RequestsGivenUp
    | LeaseTaken
    | AttemptSubmitted
    | SubmissionFailed
    | AttemptFailed
    | BatchEnded
    | RunNotCancelled
    | SweepRepaired
    | BreakerOpened
    | BreakerClosed
    | EventsPublished
    | EventsShortened
    | EventSetAside
)


def name_of(kind: type[Fact]) -> str:
    """The event in the log, and the label in the metrics."""
    return re.sub(r"(?<=.)(?=[A-Z])", "_", kind.__name__).lower()


def count_of(fact: Fact) -> int:
    """How many things it stands for."""
    count: int = getattr(fact, "count", 1)
    return count


def keys_of(fact: Fact) -> Mapping[str, str | int | float | None]:
    """The keys of its line in the log."""
    return {field.name: getattr(fact, field.name) for field in fields(fact) if field.name != "count"}
