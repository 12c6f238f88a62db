"""The ledger's tables as dicts. A fake's method changes them without awaiting in between: that is its transaction."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from router.errors import Transient
from router.ports import Announced, Clock
from router.rules.completion import OutgoingEvent
from router.rules.identity import Identity
from schemas.config import Lane
from schemas.manifest import AttemptKind, Manifest
from schemas.report import Cause, Closed, Report


@dataclass(slots=True)
class ArrivalRow:
    """A row of `arrival`."""

    arrival: Announced
    due: datetime
    tries: int = 0
    reason: str | None = None


@dataclass(slots=True)
class FileRow:
    """A row of `file`."""

    uri: str
    size: int
    landed: datetime
    accepted: datetime
    round: int = 1
    again: bool = False
    batch_id: str | None = None
    outcome: str | None = None
    rows: int | None = None
    reason: str | None = None

    @property
    def waits(self) -> bool:
        return self.batch_id is None and self.outcome is None


@dataclass(slots=True)
class BatchRow:
    """A row of `batch`."""

    lane: Lane
    landed: datetime
    manifest: Manifest
    cut: datetime
    due: datetime
    closing: str | None = None
    ended: datetime | None = None
    outcome: str | None = None
    reason: str | None = None


@dataclass(slots=True)
class AttemptRow:
    """A row of `attempt`."""

    kind: AttemptKind
    lane: Lane
    epoch: int
    created: datetime
    job_variables: Mapping[str, str] = field(default_factory=dict)
    run_id: str | None = None
    submitted: datetime | None = None
    claimed_by: str | None = None
    claimed: datetime | None = None
    cause: Cause | None = None
    reason: str | None = None
    ended: datetime | None = None
    outcome: str | None = None


@dataclass(slots=True)
class ResultRow:
    """A row of `result`."""

    state: Literal["staged", "published", "closed"]
    report: Report | Closed
    snapshot_id: int | None = None
    ended: datetime | None = None


@dataclass(slots=True)
class LeaseRow:
    """A row of `lease`."""

    holder: str
    epoch: int
    expires: datetime


class FakeDatabase:
    """Shared by all routers and runs. `away` makes every question to it `Transient`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.away = False
        self.arrivals: dict[Identity, ArrivalRow] = {}
        self.files: dict[Identity, FileRow] = {}
        self.batches: dict[str, BatchRow] = {}
        self.attempts: dict[tuple[str, int], AttemptRow] = {}
        self.results: dict[tuple[str, int], ResultRow] = {}
        self.outbox: dict[int, OutgoingEvent] = {}
        self.leases: dict[str, LeaseRow] = {}
        self._outbox_ids = 0

    def begin(self) -> datetime:
        """A transaction's `now()`."""
        if self.away:
            raise Transient("PostgreSQL: away")
        return self._clock.now()

    def put(self, event: OutgoingEvent) -> None:
        """Into the outbox."""
        self._outbox_ids += 1
        self.outbox[self._outbox_ids] = event

    def open_batch(self, batch: str) -> BatchRow | None:
        """A batch that has not ended."""
        row = self.batches.get(batch)
        return row if row is not None and row.ended is None else None

    def files_of(self, batch: str) -> list[tuple[Identity, FileRow]]:
        return [(identity, row) for identity, row in self.files.items() if row.batch_id == batch]

    def attempts_of(self, batch: str) -> list[tuple[int, AttemptRow]]:
        return [(n, row) for (of, n), row in self.attempts.items() if of == batch]
