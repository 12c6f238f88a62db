"""What the ledger knows of a file, a batch and a request when somebody asks, and what stands around them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from schemas.config.lanes import Lane


@dataclass(frozen=True, slots=True)
class KnownAttempt:
    """An attempt of the file's batch; `host` is the pod or machine of its run, `trouble` why Prefect created none.

    `queued`: since when it waits for its quota.
    """

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
    host: str | None = None
    trouble: str | None = None
    queued: datetime | None = None

    @property
    def waits_for_quota(self) -> bool:
        """Whether its Job is not admitted yet, as far as the router knows."""
        return self.queued is not None and self.claimed is None and self.ended is None


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
    `trace`: W3C's `traceparent`, where traces are on.
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
    trace: str | None = None

    @property
    def waits(self) -> bool:
        """Whether it waits in a line."""
        return self.outcome is None and self.size is not None and self.batch is None


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
    """What decides, besides the file itself, when a waiting file goes.

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
