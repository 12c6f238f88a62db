"""What the stages ask of the world. The adapters answer with real parts, the simulation with fakes of the same name.

Every method may raise `Transient`. Ledger methods are one transaction each.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from router.errors import Transient
from router.notifications.record import Position, Record
from router.rules.completion import EndedBatch, OutgoingEvent, Settlement
from router.rules.identity import Identity
from router.rules.recovery import Again, Close, OpenAttempt, RunState, Void
from router.rules.scheduling import Backlog, WaitingFile
from schemas.config import Lane
from schemas.manifest import AttemptKind, Manifest


@dataclass(frozen=True, slots=True)
class Announced:
    """An arrival of one source; what its event did not tell is None."""

    identity: Identity
    uri: str
    size: int | None
    landed: datetime
    position: Position


@dataclass(frozen=True, slots=True)
class Intake:
    """What one poll brought: files known well enough, files to be measured first, removals, dead letters."""

    files: Sequence[Announced]
    unmeasured: Sequence[Announced]
    removed: Sequence[Announced]
    letters: Sequence[OutgoingEvent]


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the ledger did not know before: new files, new arrivals to be measured, files removed in time."""

    files: int
    unmeasured: int
    removed: int


@dataclass(frozen=True, slots=True)
class Measured:
    """An object as the storage tells it: its version mark, its size in bytes."""

    version: str
    size: int


@dataclass(frozen=True, slots=True)
class Measurement:
    """What measuring an arrival gave: the object, None when it is not there, or why the storage did not answer."""

    arrival: Announced
    found: Measured | None = None
    trouble: str | None = None
    letter: OutgoingEvent | None = None


@dataclass(frozen=True, slots=True)
class NewBatch:
    """A batch as it is cut, with its first attempt."""

    id: str
    lane: Lane
    manifest: Manifest
    files: Sequence[WaitingFile]


@dataclass(frozen=True, slots=True)
class DueBatch:
    """An open batch without an open attempt whose time has come."""

    id: str
    n: int
    lane: Lane
    kind: AttemptKind


@dataclass(frozen=True, slots=True)
class Submission:
    """An attempt to be submitted: all that the flow run is made of. `key` makes a repetition harmless."""

    batch: str
    n: int
    lane: Lane
    source_id: str
    kind: AttemptKind
    job_variables: Mapping[str, str]

    @property
    def key(self) -> str:
        """The idempotency key: never time or chance in it."""
        return f"autoloader/{self.batch}/{self.n}"


class LeaseLost(Transient):
    """Another router holds the lease by now: what this one was about to write was not written."""


class Source(Protocol):
    """Records of a consumer group."""

    async def poll(self) -> Sequence[Record]:
        """Those that have come, or none after a moment."""

    async def commit(self) -> None:
        """All that `poll` has returned is taken care of."""


class ArrivalLedger(Protocol):
    """The ledger of intake and discovery: `file` and `arrival`."""

    async def record(self, intake: Intake) -> Recorded:
        """Take in what a poll brought; what is known already is left alone."""

    async def to_measure(self, limit: int) -> Sequence[Announced]:
        """Arrivals whose measuring is due; each is given to one caller for a minute."""

    async def measured(self, measurements: Sequence[Measurement]) -> int:
        """Turn measured arrivals into files; says how many were new."""


class Lease(Protocol):
    """Who may schedule and publish: one router each, others stand by."""

    async def hold(self, role: str) -> int | None:
        """The epoch of the lease, taken or kept; None while another holds it."""


class BatchLedger(Lease, Protocol):
    """The ledger of scheduling: `batch` and `attempt`, as they begin."""

    async def unsubmitted(self, limit: int) -> Sequence[Submission]:
        """Attempts whose run may not have been created yet, the oldest first."""

    async def due_batches(self, limit: int) -> Sequence[DueBatch]:
        """Batches that wait for their next attempt."""

    async def in_flight(self, lane: Lane) -> int:
        """Open attempts of a lane."""

    async def busy_sources(self, lane: Lane) -> frozenset[str]:
        """Sources with an open batch in a lane."""

    async def backlogs(self, source_ids: Sequence[str]) -> Sequence[Backlog]:
        """Those sources that have files waiting."""

    async def waiting(self, source_id: str, limit: int) -> Sequence[WaitingFile]:
        """A source's waiting files, the longest waiting first."""

    async def cut(self, batch: NewBatch, epoch: int) -> Submission | None:
        """Write a batch and its first attempt; None when its files are no longer waiting. Raises LeaseLost."""

    async def attempt(self, due: DueBatch, epoch: int) -> Submission | None:
        """Write the next attempt of a batch; None when there is one already. Raises LeaseLost."""

    async def submitted(self, submission: Submission, run_id: str) -> None:
        """The run exists."""


class AttemptLedger(Protocol):
    """The ledger of settlement: `attempt`, `result` and `batch`, as they end."""

    async def open_attempts(self, run_ids: Sequence[str] | None = None) -> Sequence[OpenAttempt]:
        """All of them, or those of some runs."""

    async def ended(self, batch: str, n: int) -> EndedBatch | None:
        """A batch whose run has reported; None when it is settled already."""

    async def settle(self, settlement: Settlement) -> bool:
        """End the batch, its files and its attempt, and put the event into the outbox; False when it was ended."""

    async def failed(self, batch: str, n: int, decision: Again | Close | Void) -> bool:
        """End an attempt, and say when its batch goes on; False when the attempt has ended or was claimed meanwhile."""


class OutboxLedger(Lease, Protocol):
    """The ledger of publication."""

    async def outbox(self, limit: int) -> Sequence[tuple[int, OutgoingEvent]]:
        """Events to be published, the oldest first, each with its row's id."""

    async def published(self, ids: Sequence[int], epoch: int) -> None:
        """The broker has them. Raises LeaseLost."""


class Store(Protocol):
    """Object storage."""

    async def measure(self, uri: str) -> Measured | None:
        """The object's version and size; None when it is not there."""


class Runs(Protocol):
    """Prefect."""

    async def submit(self, submission: Submission) -> str:
        """Create the run, or find the one created before under the same key; its id."""

    async def states(self, run_ids: Sequence[str]) -> Mapping[str, RunState]:
        """The states of runs; one it does not know is `gone`."""

    async def cancel(self, run_id: str, reason: str) -> None:
        """End a run that is not wanted any more."""

    def url(self, run_id: str) -> str:
        """Where a person looks at it."""


class Publisher(Protocol):
    """Kafka, for what goes out."""

    async def publish(self, events: Sequence[OutgoingEvent]) -> None:
        """All of them acknowledged by all replicas, or Transient."""


class Clock(Protocol):
    """Time, and the chance that is in ids."""

    def now(self) -> datetime:
        """The time, in UTC."""

    def new_batch_id(self) -> str:
        """Never given before, also after the ledger was restored: time and chance, `[a-z0-9-]`."""
