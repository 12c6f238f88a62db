"""What the stages ask of the world. The adapters answer with real parts, the simulation with fakes of the same name.

Every method may raise `Transient`. Ledger methods are one transaction each.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from router.errors import Transient
from router.notifications.record import Position, Record
from router.notifications.requests import Request
from router.rules.breaker import Breaker
from router.rules.completion import EndedBatch, OutgoingEvent, Settlement
from router.rules.identity import Identity
from router.rules.looking import Look, StorageAnswer
from router.rules.publication import Answer
from router.rules.recovery import Again, Close, OpenAttempt, RunState, Void
from router.rules.requests import FinishedRequest, RequestEnd
from router.rules.scheduling import Backlog, WaitingFile
from router.rules.sizing import Place
from router.rules.splitting import Split
from schemas.config import Lane
from schemas.events import RequestKind
from schemas.manifest import AttemptKind, Manifest, ManifestFile
from schemas.report import Preview


class Announced(NamedTuple):
    """An arrival of one source; what its event did not tell is None, and so is then its place."""

    identity: Identity
    uri: str
    size: int | None
    landed: datetime
    position: Position
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Intake:
    """What one poll brought: files known well enough, files to be measured first, removals, dead letters."""

    files: Sequence[Announced]
    unmeasured: Sequence[Announced]
    removed: Sequence[Announced]
    letters: Sequence[OutgoingEvent]


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the ledger did not know before: new files, new arrivals to be measured.

    `doubted`: objects told to be removed of which something is not loaded yet: they are looked at.
    """

    files: int
    unmeasured: int
    doubted: int


@dataclass(frozen=True, slots=True)
class Measured:
    """An object as the storage tells it: its version mark, its size in bytes."""

    version: str
    size: int


@dataclass(frozen=True, slots=True)
class Measurement:
    """A look at an object, and what the storage answered."""

    look: Look
    answer: StorageAnswer


@dataclass(frozen=True, slots=True)
class Looked:
    """What answers have changed: files that now wait to be loaded, files that are removed."""

    new: int
    removed: int


@dataclass(frozen=True, slots=True)
class NewBatch:
    """A batch as it is cut, with its first attempt. A preview has a request, and no files."""

    id: str
    lane: Lane
    size_class: int
    job_variables: Mapping[str, str]
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


@dataclass(frozen=True, slots=True)
class AskedRequest:
    """A request that may be carried out, with the id of the source it names; or how it ends, being refused.

    `taken` is its dead letter for the case that another producer has used its id.
    """

    request: Request
    taken: OutgoingEvent
    source_id: str | None = None
    refusal: RequestEnd | None = None


@dataclass(frozen=True, slots=True)
class Unlisted:
    """A request whose files are not all known: the next of those it names, or the prefix and how far that is listed.

    A retry or a cancel has neither: `source_ids` are those whose files it is about.
    """

    id: str
    kind: RequestKind
    producer: str
    source_id: str | None
    reload: bool
    files: Sequence[str] = ()
    prefix: str | None = None
    cursor: str | None = None
    source_ids: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file that a request asks for, as the storage has it."""

    identity: Identity
    uri: str
    size: int
    place: Place


@dataclass(frozen=True, slots=True)
class Found:
    """What listing a part of a request gave; with `is_all` nothing of it is left to be listed.

    `refused`: files that the source does not take any more, and why. `trouble` is why it gave nothing: what follows may
    be better.
    """

    request_id: str
    files: Sequence[FoundFile] = ()
    missing: Sequence[str] = ()
    refused: Mapping[str, str] = field(default_factory=dict)
    cursor: str | None = None
    is_all: bool = False
    trouble: str | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """An object below a prefix."""

    uri: str
    measured: Measured


@dataclass(frozen=True, slots=True)
class EndedPreview:
    """A preview whose run has looked."""

    batch: str
    n: int
    request: FinishedRequest
    preview: Preview


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
        """Those after the last commit, or none after a moment."""

    async def poll_ahead(self) -> Sequence[Record]:
        """Those after the last poll, as far as they are here already; it takes a commit of its own."""

    async def commit(self) -> None:
        """All that the oldest poll not committed yet has returned is taken care of."""


class ArrivalLedger(Protocol):
    """The ledger of intake and discovery: `file` and `arrival`."""

    async def record(self, intake: Intake) -> Recorded:
        """Take in what a poll brought; what is known already is left alone.

        An object is looked at when something of it is told to be removed before it was loaded, and when a version is
        told again that had ended without a load.
        """

    async def to_measure(self, limit: int) -> Sequence[Look]:
        """Looks that are due; each is given to one caller for a minute."""

    async def measured(self, measurements: Sequence[Measurement]) -> Looked:
        """Turn what is there into files, end what is not, and say when the storage is asked again.

        Only what is there counts when the object was given out, or told of, once more since the look was given.
        """


class Lease(Protocol):
    """Who may schedule and publish: one router each, others stand by."""

    async def hold(self, role: str) -> int | None:
        """The epoch of the lease, taken or kept; None while another holds it."""

    async def release(self, role: str) -> None:
        """Let another take it at once, if we hold it."""


class BatchLedger(Lease, Protocol):
    """The ledger of scheduling: `batch` and `attempt`, as they begin."""

    async def unsubmitted(self, limit: int) -> Sequence[Submission]:
        """Attempts whose run may not have been created yet and is to be created now, the longest due first."""

    async def due_batches(self, lane: Lane, limit: int, without: Collection[str] = ()) -> Sequence[DueBatch]:
        """Batches that wait for their next attempt in a lane, the longest due first; none of the sources `without`."""

    async def breakers(self) -> Sequence[Breaker]:
        """What failed since it last answered."""

    async def probed(self, targets: Collection[str]) -> None:
        """A batch was begun that tries these: nobody else is to, until it has ended or a while has passed."""

    async def halves(self) -> Sequence[DueBatch]:
        """Halves of split batches that wait for their first attempt: of each source the first in each lane."""

    async def in_flight(self) -> Mapping[Lane, int]:
        """Open attempts by lane; a lane without any may be left out."""

    async def busy(self) -> frozenset[tuple[str, Lane]]:
        """Sources with an open batch that has begun, and the lane of that; previews do not count."""

    async def backlogs(self) -> Sequence[Backlog]:
        """The lines that have files waiting, of sources that are not paused: found without looking at the files."""

    async def waiting(self, source_id: str, lane: Lane, limit: int) -> Sequence[WaitingFile]:
        """The first of a line: what a person asked for, then the earliest landed."""

    async def refuse(self, refusals: Sequence[tuple[Identity, str]], epoch: int) -> int:
        """Waiting files have failed, each for its reason; says how many still waited. Raises LeaseLost."""

    async def previews(self, source_ids: Collection[str], limit: int) -> Sequence[DuePreview]:
        """Previews of these sources to be begun, the oldest first."""

    async def cut(self, batch: NewBatch, epoch: int) -> Submission | None:
        """Write a batch and its first attempt; None when there is nothing left to be in it. Raises LeaseLost."""

    async def attempt(self, due: DueBatch, job_variables: Mapping[str, str], epoch: int) -> Submission | None:
        """Write the next attempt of a batch; None when there is one already. Raises LeaseLost."""

    async def submitted(self, submission: Submission, run_id: str) -> None:
        """The run exists."""

    async def put_off(self, submission: Submission, trouble: str) -> None:
        """Its run is to be created later, each time it comes to this later still, up to half a minute."""


class AttemptLedger(Protocol):
    """The ledger of settlement: `attempt`, `result` and `batch`, as they end."""

    async def open_attempts(self, run_ids: Sequence[str] | None = None) -> Sequence[OpenAttempt]:
        """All of them, or those of some runs."""

    async def ended(self, batch: str, n: int) -> EndedBatch | None:
        """A batch whose run has reported; None when it is settled already."""

    async def settle(self, settlement: Settlement) -> bool:
        """End the batch, its files and its attempt, and put the event into the outbox; False when it was ended.

        What was learned of the source is kept. An object of which another version was there, or none, is looked at.
        """

    async def away(self, target: str, reason: str) -> Breaker | None:
        """A run found it away: its breaker after that; None while it is open, when one more failure tells nothing."""

    async def answered(self, targets: Collection[str]) -> Sequence[Breaker]:
        """A run found them there: their breakers are no more. What they were, of those that had failed."""

    async def split(self, split: Split) -> bool:
        """End the batch, and make two of its files, to be begun; the event goes out. False when it was ended."""

    async def previewed(self, batch: str, n: int) -> EndedPreview | None:
        """A preview whose run has looked, or, with a reason, failed; None when it is settled already."""

    async def end_preview(self, batch: str, n: int, end: RequestEnd) -> bool:
        """End the preview with its request, and put the event into the outbox; False when it was ended."""

    async def failed(self, batch: str, n: int, decision: Again | Close | Void) -> bool:
        """End an attempt, and say when its batch goes on; False when the attempt has ended or was claimed meanwhile."""


class RequestLedger(Protocol):
    """The ledger of requests: `request` and `request_file`."""

    async def record_requests(self, requests: Sequence[AskedRequest], letters: Sequence[OutgoingEvent]) -> int:
        """Take in what was asked; says how many were new.

        A known id asks for nothing new; if its request has ended, its completion event goes out once more.
        """

    async def to_list(self) -> Unlisted | None:
        """A request whose listing is due; it is given to one caller for a minute."""

    async def found(self, found: Found, *, reload: bool) -> int:
        """Files of a request; says how many of them now wait to be loaded because of it.

        What waits already is moved to its new place. What has ended waits anew, but what is loaded only to be reloaded.
        """

    async def retried(self, unlisted: Unlisted, pinned: Sequence[str]) -> int:
        """All that the request is about and was not loaded waits anew; in its own lane where that is pinned."""

    async def cancelled(self, unlisted: Unlisted, reason: str) -> int:
        """What waits of all that the request is about has failed, an open batch is closing; says how many files."""

    async def put_off(self, request_id: str, trouble: str, cursor: str | None) -> None:
        """Its listing goes on later, after `cursor`."""

    async def finished(self, limit: int) -> Sequence[str]:
        """Open requests that are at their end: all is listed and none of their files is open, or their time is over.

        Each is given to one caller for 15 seconds, when it is not answered then to another for longer.
        """

    async def finished_request(self, request_id: str) -> FinishedRequest | None:
        """How it stands; None when it has ended, or is not at its end any more."""

    async def give_up_removed(self, source_ids: Collection[str], after: timedelta) -> int:
        """Give up what was accepted `after` ago and asks for sources that are none of these; says how many."""

    async def end(self, end: RequestEnd) -> bool:
        """End it, and put the event into the outbox; False when it was ended. What it asked for and waits is given up.

        For a request that finished there is no such file.
        """


class OutboxLedger(Lease, Protocol):
    """The ledger of publication."""

    async def outbox(
        self,
        limit: int,
        *,
        max_bytes: int | None = None,
        topics_held: Sequence[str] = (),
        keys_held: Sequence[tuple[str, str]] = (),
    ) -> Sequence[tuple[int, OutgoingEvent]]:
        """Events to be published, the oldest first, each with its row's id: in all not much more than `max_bytes`.

        Without those of topics, and of topics and keys, that are held, and what is set aside for the time being.
        """

    async def published(
        self,
        ids: Sequence[int],
        epoch: int,
        *,
        shorter: Mapping[int, str] | None = None,
        set_aside: Mapping[int, str] | None = None,
    ) -> None:
        """The broker has them; others are to be tried with a shorter value, or set aside for a while with a reason.

        Raises LeaseLost.
        """


class Store(Protocol):
    """Object storage."""

    async def measure(self, uri: str) -> Measured | None:
        """The object's version and size; None when it is not there."""

    async def listed(self, prefix: str, cursor: str | None, limit: int) -> Sequence[Listed]:
        """The objects below a prefix in the order of their URIs, after `cursor`; fewer than `limit`: that is all.

        Raises Rejected when an object's key cannot be in a URI of ours: see `schemas.uris`.
        """


class Runs(Protocol):
    """Prefect."""

    async def submit(self, submission: Submission) -> str:
        """Create the run, or find the one created before under the same key; its id. Raises Refused."""

    async def states(self, run_ids: Sequence[str]) -> Mapping[str, RunState]:
        """The states of runs; one it does not know is `gone`."""

    async def cancel(self, run_id: str, reason: str) -> None:
        """End a run that is not wanted any more."""

    def url(self, run_id: str) -> str:
        """Where a person looks at it."""


class Publisher(Protocol):
    """Kafka, for what goes out."""

    async def publish(self, events: Sequence[OutgoingEvent]) -> Sequence[Answer]:
        """What the broker says of each, within seconds. Those of one key keep their order, whatever becomes of them."""


class Clock(Protocol):
    """Time, and the chance that is in ids."""

    def now(self) -> datetime:
        """The time, in UTC."""

    def new_batch_id(self) -> str:
        """Never given before, also after the ledger was restored: time and chance, `[a-z0-9-]`."""
