"""Kafka → ledger: decode, match sources, check the URI, record once, then commit the offset.

A poll is bounded by records, a transaction by bytes: so a poll is read in portions, nearly always in one, and is
committed when its last is recorded. Nothing is committed that is not in the ledger, as a file or as a dead letter. Two
portions are in flight at most: while the ledger records one, the next is decoded.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from router.errors import Reason, Rejected, Transient
from router.facts import EventsRecorded, EventsUnmatched, Fact, RecordsDeadLettered, RemovalsRecorded
from router.notifications.decode import decode
from router.notifications.fields import EARLIEST
from router.notifications.record import Arrival, Position, Record, made
from router.notifications.traces import traceparent
from router.ports.intake import Announced, Intake, IntakeLedger, Recorded, Source, Trace
from router.rules.dead_letters import dead_letter
from router.rules.identity import Identity, object_key
from router.rules.matching import Matcher
from router.rules.outgoing import OutgoingEvent
from router.rules.portion import TURN_BYTES, WHOLE_POLLS, Portion, weight
from router.rules.sizing import Sizing
from router.rules.traces import ours
from router.step import Step
from schemas.config.topics import TopicConfig

UNMATCHED = ("no-source", "not-allowed")
MAX_LETTERS_A_RECORD = 100
AHEAD = timedelta(hours=1)  # a producer's clock may be so much ahead of ours


class IntakeStage:
    """Records one portion of a poll a step."""

    name = "intake"

    def __init__(
        self,
        source: Source,
        ledger: IntakeLedger,
        matcher: Matcher,
        sizing: Sizing,
        topics: Mapping[str, TopicConfig],
        *,
        portion: Portion = WHOLE_POLLS,
        traces: bool = False,
    ) -> None:
        self._source = source
        self._ledger = ledger
        self._matcher = matcher
        self._sizing = sizing
        self._topics = topics
        self._portion = portion
        self._traces = traces
        self._ahead: _PollResult | None = None

    async def step(self, now: datetime) -> Step:
        """Record what was polled, and meanwhile take in, or poll, what comes next; then commit what is recorded."""
        result, self._ahead = self._ahead, None
        result = result or await self._read(await self._source.poll(), now)
        if result is None:
            return Step(more=True)
        recording = asyncio.ensure_future(self._ledger.record(result.intake()))
        try:
            ahead = await self._read(result.rest or await self._source.poll_ahead(), now)
            recorded = await recording
        except Transient:
            self._portion = self._portion.after_trouble()
            raise
        finally:
            recording.cancel()
            await asyncio.gather(recording, return_exceptions=True)
        if not result.rest:
            await self._source.commit()
            self._portion = self._portion.after_success()
        self._ahead = ahead
        return Step(tuple(result.facts(recorded)), more=True, goes_on=ahead is not None)

    async def _read(self, records: Sequence[Record], now: datetime) -> "_PollResult | None":
        """Read one portion. Between turns others have theirs: PostgreSQL is told to go on, Kafka that we live."""
        if not records:
            return None
        result = _PollResult(self._sizing, records, now)
        while result.rest and result.weight < self._portion.bytes:
            self._read_turn(result)
            await asyncio.sleep(0)
        return result

    def _read_turn(self, result: "_PollResult") -> None:
        """Decode the next records, for as long as others may have to wait."""
        for record in result.turn(min(TURN_BYTES, self._portion.bytes)):
            entries = decode(record)
            result.weight += weight(record, len(entries))
            trace = (traceparent(record) or ours(record.position)) if self._traces else None
            for index, entry in enumerate(entries):
                if isinstance(entry, Rejected):
                    result.reject(record, index, entry)
                    continue
                try:
                    sources = self._matcher.sources_of(entry.uri)
                except Rejected as rejected:
                    self._reject(record, index, rejected, result)
                    continue
                for source_id in sources:
                    result.accept(entry, source_id, record.position, trace)

    def _reject(self, record: Record, index: int, rejected: Rejected, result: "_PollResult") -> None:
        if rejected.reason in UNMATCHED and self._topics[record.position.topic].unmatched == "count":
            result.unmatched += 1
        else:
            result.reject(record, index, rejected)


class _PollResult:
    """What one portion of a poll comes to; `rest` are the records of the poll that are not in it.

    A file that says to land in the future would be the last for ever; one of a record without a time the first.
    """

    def __init__(self, sizing: Sizing, records: Sequence[Record], now: datetime) -> None:
        self._place = sizing.place
        self._now = now
        self._latest = now + AHEAD
        self._records = 0
        self.rest = records
        self.weight = 0
        self.files: dict[Identity, Announced] = {}
        self.unmeasured: dict[Identity, Announced] = {}
        self.removed: dict[Identity, Announced] = {}
        self.traces: dict[Identity, str] = {}
        self.letters: list[OutgoingEvent] = []
        self.reasons: Counter[Reason] = Counter()
        self.unmatched = 0
        self._letters_of: Counter[Position] = Counter()

    def turn(self, most: int) -> Iterator[Record]:
        """The next records, until what they come to is as much as that."""
        end, count = self.weight + most, 0
        for record in self.rest:
            count += 1
            yield record
            if self.weight >= end:
                break
        self._records += count
        self.rest = self.rest[count:]

    def accept(self, arrival: Arrival, source_id: str, position: Position, trace: str | None) -> None:
        kind, uri, size, version, landed = arrival
        identity = made(Identity, (source_id, object_key(uri), version or ""))
        landed = min(landed, self._latest) if landed >= EARLIEST else self._now
        if trace is not None and kind == "landed":
            self.traces[identity] = trace
        if kind == "removed":
            _keep_latest(self.removed, Announced(identity, uri, None, landed, position))
        elif version is None or size is None:
            _keep_latest(self.unmeasured, Announced(identity, uri, None, landed, position))
        else:
            announced = made(Announced, (identity, uri, size, landed, position, self._place(source_id, uri, size)))
            if self.files.setdefault(identity, announced) is not announced:
                _keep_latest(self.files, announced)

    def reject(self, record: Record, index: int, rejected: Rejected) -> None:
        """A record of thousands of unusable entries has a letter for the first hundred, and is quoted in the first."""
        self.reasons[rejected.reason] += 1
        letters = self._letters_of[record.position] = self._letters_of[record.position] + 1
        if letters == MAX_LETTERS_A_RECORD:
            rejected = Rejected(rejected.reason, f"{rejected.detail}; what follows in this record is not told")
        if letters <= MAX_LETTERS_A_RECORD:
            letter = dead_letter(record, index, rejected, quotes=letters == 1)
            self.weight += len(letter.value)
            self.letters.append(letter)

    def intake(self) -> Intake:
        """Sorted by key, so that several routers take locks in one order."""
        return Intake(
            files=_in_order(self.files),
            unmeasured=_in_order(self.unmeasured),
            removed=_in_order(self.removed),
            letters=self.letters,
            traces=[Trace(identity, self.traces[identity]) for identity in sorted(self.traces)],
        )

    def facts(self, recorded: Recorded) -> Iterator[Fact]:
        announced = len(self.files) + len(self.unmeasured)
        yield EventsRecorded(announced, self._records, new_files=recorded.files, to_measure=recorded.unmeasured)
        for reason, count in self.reasons.items():
            yield RecordsDeadLettered(count, reason)
        if self.unmatched:
            yield EventsUnmatched(self.unmatched)
        if recorded.doubted:
            yield RemovalsRecorded(recorded.doubted)


def _in_order(found: dict[Identity, Announced]) -> list[Announced]:
    return list(map(found.__getitem__, sorted(found)))


def _keep_latest(found: dict[Identity, Announced], announced: Announced) -> None:
    known = found.setdefault(announced.identity, announced)
    if known.landed < announced.landed:
        found[announced.identity] = announced
