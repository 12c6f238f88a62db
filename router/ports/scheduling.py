"""What scheduling asks of the ledger: lines, batches that are due, and room for their attempts."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from router.ports.lease import Lease
from router.ports.runs import Submission
from router.rules.breaker import Breaker
from router.rules.identity import Identity
from router.rules.scheduling import Backlog, WaitingFile
from schemas.config.lanes import Lane
from schemas.config.sizes import JobVariables
from schemas.manifest import AttemptKind, Manifest, ManifestFile


@dataclass(frozen=True, slots=True)
class NewBatch:
    """A batch as it is cut, with its first attempt. A preview has a request, and no files."""

    id: str
    lane: Lane
    size_class: int
    job_variables: JobVariables
    manifest: Manifest
    files: Sequence[WaitingFile] = ()
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class DueBatch:
    """An open batch without an open attempt whose time has come; `estimate` in bytes once unpacked."""

    id: str
    n: int
    lane: Lane
    source_id: str
    size_class: int
    kind: AttemptKind
    estimate: int = 0


@dataclass(frozen=True, slots=True)
class DuePreview:
    """A preview that was asked for and has no batch yet."""

    request_id: str
    source_id: str
    file: ManifestFile
    rows: int


class SchedulingLedger(Lease, Protocol):
    """The ledger of scheduling: `batch` and `attempt`, as they begin."""

    async def has_work(self) -> bool:
        """Whether anything may be scheduled: a file waits, or a batch or a preview has not ended."""

    async def unsubmitted(self, limit: int) -> Sequence[Submission]:
        """Attempts whose run may not have been created yet and is to be created now, the longest due first."""

    async def due_batches(self, lane: Lane, limit: int, without: Collection[str] = ()) -> Sequence[DueBatch]:
        """Batches that wait for their next attempt in a lane, the longest due first; none of the sources `without`."""

    async def breakers(self) -> Sequence[Breaker]:
        """What failed since it last answered."""

    async def hold_back(self, targets: Collection[str]) -> None:
        """A batch was begun that tries these: nobody else is to, until it has ended or a while has passed."""

    async def halves(self) -> Sequence[DueBatch]:
        """Halves of split batches that wait for their first attempt: of each source the first in each lane."""

    async def in_flight(self) -> Mapping[Lane, int]:
        """Open attempts by lane; a lane without any may be left out."""

    async def busy(self) -> frozenset[tuple[str, Lane]]:
        """The lines that can have no batch more: what has begun of them is not staged yet, or is two batches.

        Previews do not count.
        """

    async def backlogs(self) -> Sequence[Backlog]:
        """The lines that have files waiting, of sources that are not paused: found without looking at the files."""

    async def waiting(self, source_id: str, lane: Lane, limit: int) -> Sequence[WaitingFile]:
        """The first of a line: what a person asked for, then the earliest landed."""

    async def fail_waiting(self, refusals: Sequence[tuple[Identity, str]], epoch: int) -> int:
        """Waiting files have failed, each for its reason; says how many still waited. Raises LeaseLost."""

    async def previews(self, source_ids: Collection[str], limit: int) -> Sequence[DuePreview]:
        """Previews of these sources to be begun, the oldest first."""

    async def cut(self, batch: NewBatch, epoch: int) -> Submission | None:
        """Write a batch and its first attempt; None when there is nothing left to be in it. Raises LeaseLost."""

    async def begin_attempt(self, due: DueBatch, job_variables: JobVariables, epoch: int) -> Submission | None:
        """Write the next attempt of a batch; None when there is one already. Raises LeaseLost."""

    async def save_run(self, submission: Submission, run_id: str) -> None:
        """Keep the id of the run that was created, and wake the workers of its lane."""

    async def put_off(self, submission: Submission, trouble: str) -> None:
        """Its run is to be created later, each time it comes to this later still, up to half a minute."""
