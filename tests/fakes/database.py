"""The ledger's tables as dicts. A fake's method changes them without awaiting in between: that is its transaction."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal

from router.errors import Transient
from router.notifications.record import Position
from router.notifications.requests import Request
from router.ports.clock import Clock
from router.ports.discovery import Measurement
from router.rules.answers import RequestEnd
from router.rules.identity import Identity
from router.rules.looking import PAUSES, Look, circle
from router.rules.outgoing import OutgoingEvent
from router.rules.settlement import TableSchema
from schemas.config.lanes import Lane
from schemas.config.sizes import JobVariables
from schemas.manifest import AttemptKind, Manifest
from schemas.report import Cause, Closed, Preview, Report, Target


@dataclass(slots=True)
class ArrivalRow:
    """A row of `arrival`; its serial, misses and flags are those of the look."""

    look: Look
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
    estimate: int = 0
    lane: Lane = "default"
    rank: int = 1
    request_id: str | None = None
    batch_id: str | None = None
    outcome: str | None = None
    rows: int | None = None
    rows_bad: int = 0
    reason: str | None = None
    position: Position | None = None

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
    estimate: int = 0
    size_class: int = 0
    request_id: str | None = None
    closing: str | None = None
    splitting: bool = False
    split_from: str | None = None
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
    due: datetime
    size_class: int = 0
    job_variables: JobVariables = field(default_factory=dict)
    tries: int = 0
    trouble: str | None = None
    run_id: str | None = None
    submitted: datetime | None = None
    claimed_by: str | None = None
    claimed: datetime | None = None
    touched: datetime | None = None
    cause: Cause | None = None
    target: Target | None = None
    reason: str | None = None
    ended: datetime | None = None
    outcome: str | None = None
    queued: datetime | None = None

    @property
    def takes_a_slot(self) -> bool:
        """It is in flight, and does not only wait for its quota."""
        return self.ended is None and (self.queued is None or self.claimed is not None)


@dataclass(slots=True)
class ResultRow:
    """A row of `result`."""

    state: Literal["staged", "published", "closed", "previewed"]
    report: Report | Closed | Preview
    snapshot_id: int | None = None
    ended: datetime | None = None


@dataclass(slots=True)
class LeaseRow:
    """A row of `lease`."""

    holder: str
    epoch: int
    expires: datetime


@dataclass(slots=True)
class BreakerRow:
    """A row of `breaker`."""

    failures: int
    until: datetime
    reason: str


@dataclass(slots=True)
class SourceRow:
    """A row of `source_state`."""

    paused: datetime | None = None
    bytes_per_second: float | None = None
    newest_landed: datetime | None = None


@dataclass(slots=True)
class RequestRow:
    """A row of `request`."""

    request: Request
    source_id: str | None
    accepted: datetime
    due: datetime
    deadline: datetime | None = None
    cursor: str | None = None
    tries: int = 0
    trouble: str | None = None
    listed: datetime | None = None
    answer_due: datetime | None = None
    answer_tries: int = 0
    given_up: str | None = None
    end: RequestEnd | None = None


@dataclass(slots=True)
class RequestFileRow:
    """A row of `request_file`."""

    uri: str
    version: str | None = None
    size: int | None = None
    outcome: Literal["already-loaded", "missing", "failed"] | None = None
    misses: int = 0
    reason: str | None = None


class FakeDatabase:
    """Shared by all routers and runs. `away` makes every question to it `Transient`, `poison` those about requests.

    `answered` is what was last told of objects that were looked at.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.away = False
        self.poison: set[str] = set()
        self.arrivals: dict[Identity, ArrivalRow] = {}
        self.answered: Sequence[Measurement] = ()
        self.files: dict[Identity, FileRow] = {}
        self.batches: dict[str, BatchRow] = {}
        self.attempts: dict[tuple[str, int], AttemptRow] = {}
        self.results: dict[tuple[str, int], ResultRow] = {}
        self.traces: dict[Identity, str] = {}
        self.outbox: dict[int, OutgoingEvent] = {}
        self.set_aside: dict[int, datetime] = {}
        self.recorded: dict[int, OutgoingEvent] = {}
        self.leases: dict[str, LeaseRow] = {}
        self.sources: dict[str, SourceRow] = {}
        self.schemas: dict[str, list[TableSchema]] = {}
        self.breakers: dict[str, BreakerRow] = {}
        self.requests: dict[str, RequestRow] = {}
        self.request_files: dict[tuple[str, str, bytes], RequestFileRow] = {}
        self._outbox_ids = 0
        self._serials = 0

    def begin(self) -> datetime:
        """A transaction's `now()`."""
        if self.away:
            raise Transient("PostgreSQL: away")
        return self._clock.now()

    def put(self, event: OutgoingEvent) -> None:
        """Into the outbox."""
        self._outbox_ids += 1
        self.outbox[self._outbox_ids] = self.recorded[self._outbox_ids] = event

    def next_serial(self) -> int:
        """Never given before, also not to a row that is gone."""
        self._serials += 1
        return self._serials

    def tell(self, told: Look, now: datetime) -> bool:
        """An object is to be looked at now; whether that is new, and not quiet. The same record changes nothing."""
        row = self.arrivals.get(told.identity)
        if row is None:
            self.arrivals[told.identity] = ArrivalRow(told, now)
            return not told.quiet
        if row.look.position != told.position or told.removed > row.look.removed:
            row.due = now
            row.look = replace(
                told,
                landed=max(row.look.landed, told.landed),
                serial=self.next_serial(),
                removed=row.look.removed or told.removed,
                quiet=row.look.quiet and told.quiet,
            )
        return False

    def insert_ended(self, look: Look, outcome: str, reason: str, now: datetime) -> None:
        """What ends without ever having waited; what had ended so before has its last reason."""
        row = self.files.get(look.identity)
        if row is None:
            row = self.files[look.identity] = FileRow(look.uri, 0, look.landed, now, outcome=outcome)
            row.position = look.position
        if row.batch_id is None and row.outcome is not None:
            row.landed, row.accepted = max(row.landed, look.landed), now
            row.outcome, row.reason = outcome, reason

    def follow(self, batch: str, now: datetime) -> None:
        """The objects of a batch that ends are looked at, of which another version was there, or none."""
        for key, file in self.files_of(batch):
            if file.outcome not in {"missing", "superseded"}:
                continue
            misses, pause = int(file.outcome == "missing"), PAUSES[0]
            if file.outcome == "superseded":
                pause = circle(sum(row.round for row in self._superseded(key, now - timedelta(days=1))))
            look = Look(key._replace(version=""), file.uri, file.landed, file.position, misses=misses, quiet=True)
            row = self.arrivals.setdefault(look.identity, ArrivalRow(look, now + pause))
            if row.look is not look:
                row.due = min(row.due, now + pause)
                row.look = replace(row.look, misses=min(row.look.misses, misses), serial=self.next_serial())

    def _superseded(self, key: Identity, since: datetime) -> list[FileRow]:
        return [
            row
            for other, row in self.files.items()
            if other[:2] == key[:2] and row.outcome == "superseded" and row.accepted > since
        ]

    def end_request(self, end: RequestEnd) -> bool:
        """Once; what waits because of it is given up, or is another's who asks for it too."""
        row = self.requests[end.id]
        if row.end is not None:
            return False
        row.end = end
        for key, file in self.files.items():
            if file.request_id == end.id and file.waits:
                if heir := self.heir(key, end.id):
                    file.request_id = heir
                else:
                    file.outcome, file.reason = "failed", end.reason or "its request has ended"
        self.put(end.event)
        return True

    def heir(self, key: Identity, request_id: str) -> str | None:
        """Another open request that asks for the file to be loaded."""
        asking = (
            of
            for (of, source_id, object_), row in self.request_files.items()
            if (source_id, object_, row.version) == key
            and of != request_id
            and self.requests[of].end is None
            and self.requests[of].request.kind in {"load", "retry"}
        )
        return min(asking, default=None)

    def files_asked(self, request_id: str) -> list[tuple[RequestFileRow, FileRow | None]]:
        """The files of a request, with what the ledger has of them."""
        return [
            (row, None if row.version is None else self.files.get(Identity(source_id, key, row.version)))
            for (of, source_id, key), row in self.request_files.items()
            if of == request_id
        ]

    def is_over(self, request_id: str) -> bool:
        """Whether a request is at its end: nothing that it asks for is open, or its time is over."""
        row = self.requests[request_id]
        if row.given_up is not None or (row.deadline is not None and row.deadline <= self._clock.now()):
            return True
        if row.request.kind == "preview":
            return any(one.outcome is not None for one, _ in self.files_asked(request_id))
        return not self.has_open_files(request_id)

    def has_open_files(self, request_id: str) -> bool:
        """Whether a file of a request is open, or not all of them are known."""
        return self.requests[request_id].listed is None or any(
            one.outcome is None and (file is None or file.outcome is None) for one, file in self.files_asked(request_id)
        )

    def open_batch(self, batch: str) -> BatchRow | None:
        """A batch that has not ended."""
        row = self.batches.get(batch)
        return row if row is not None and row.ended is None else None

    def files_of(self, batch: str) -> list[tuple[Identity, FileRow]]:
        return [(identity, row) for identity, row in self.files.items() if row.batch_id == batch]

    def family(self, batch: str | None) -> set[str]:
        """A batch with its halves, and theirs."""
        halves = [id_ for id_, row in self.batches.items() if batch is not None and row.split_from == batch]
        return {id_ for id_ in [batch] if id_ is not None}.union(*(self.family(half) for half in halves))

    def attempts_of(self, batch: str) -> list[tuple[int, AttemptRow]]:
        return [(n, row) for (of, n), row in self.attempts.items() if of == batch]
