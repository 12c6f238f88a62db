"""Kafka → ledger: decode, match sources, check the URI, record once, then commit the offset."""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime

from router.errors import Rejected
from router.notifications.decode import decode
from router.notifications.record import Arrival, Position, Record
from router.ports import Announced, ArrivalLedger, Intake, Source
from router.rules.completion import OutgoingEvent, dead_letter
from router.rules.identity import Identity, object_key
from router.rules.matching import Matcher
from router.step import Fact, Step
from schemas.config import TopicConfig

UNMATCHED = ("no-source", "not-allowed")
MAX_LETTERS_A_RECORD = 100


class IntakeStage:
    """One poll a step. Nothing is committed that is not in the ledger, as a file or as a dead letter."""

    name = "intake"

    def __init__(
        self, source: Source, ledger: ArrivalLedger, matcher: Matcher, topics: Mapping[str, TopicConfig]
    ) -> None:
        self._source = source
        self._ledger = ledger
        self._matcher = matcher
        self._topics = topics

    async def step(self, now: datetime) -> Step:
        """Poll, record, commit."""
        records = await self._source.poll()
        if not records:
            return Step(more=True)
        taken = _Taken()
        for record in records:
            self._take(record, taken)
        recorded = await self._ledger.record(taken.intake())
        await self._source.commit()
        new = Fact(
            "events_recorded",
            {"records": len(records), "new_files": recorded.files, "to_measure": recorded.unmeasured},
            len(taken.files) + len(taken.unmeasured),
        )
        return Step((new, *taken.facts(recorded.removed)), more=True)

    def _take(self, record: Record, taken: "_Taken") -> None:
        for index, entry in enumerate(decode(record)):
            if isinstance(entry, Rejected):
                taken.reject(record, index, entry)
                continue
            try:
                sources = self._matcher.sources_of(entry.uri)
            except Rejected as rejected:
                if rejected.reason in UNMATCHED and self._topics[record.position.topic].unmatched == "count":
                    taken.unmatched += 1
                else:
                    taken.reject(record, index, rejected)
                continue
            for source_id in sources:
                taken.accept(entry, source_id, record)


class _Taken:
    """What the records of one poll come to."""

    def __init__(self) -> None:
        self.files: dict[Identity, Announced] = {}
        self.unmeasured: dict[Identity, Announced] = {}
        self.removed: dict[Identity, Announced] = {}
        self.letters: list[OutgoingEvent] = []
        self.reasons: Counter[str] = Counter()
        self.unmatched = 0
        self._letters_of: Counter[Position] = Counter()

    def accept(self, arrival: Arrival, source_id: str, record: Record) -> None:
        identity = Identity(source_id, object_key(arrival.uri), arrival.version or "")
        announced = Announced(identity, arrival.uri, arrival.size, arrival.landed, record.position)
        if arrival.kind == "removed":
            _keep_latest(self.removed, announced)
        elif arrival.version is None or arrival.size is None:
            _keep_latest(self.unmeasured, announced)
        else:
            _keep_latest(self.files, announced)

    def reject(self, record: Record, index: int, rejected: Rejected) -> None:
        """A record of thousands of unusable entries has a letter for the first hundred."""
        self.reasons[rejected.reason] += 1
        letters = self._letters_of[record.position] = self._letters_of[record.position] + 1
        if letters == MAX_LETTERS_A_RECORD:
            rejected = Rejected(rejected.reason, f"{rejected.detail}; what follows in this record is not told")
        if letters <= MAX_LETTERS_A_RECORD:
            self.letters.append(dead_letter(record, index, rejected))

    def intake(self) -> Intake:
        """Sorted by key, so that several routers take locks in one order."""
        return Intake(
            files=[self.files[identity] for identity in sorted(self.files)],
            unmeasured=[self.unmeasured[identity] for identity in sorted(self.unmeasured)],
            removed=[self.removed[identity] for identity in sorted(self.removed)],
            letters=self.letters,
        )

    def facts(self, removed: int) -> Iterator[Fact]:
        for reason, count in self.reasons.items():
            yield Fact("records_dead_lettered", {"reason": reason}, count)
        if self.unmatched:
            yield Fact("events_unmatched", count=self.unmatched)
        if removed:
            yield Fact("files_removed", count=removed)


def _keep_latest(found: dict[Identity, Announced], announced: Announced) -> None:
    known = found.setdefault(announced.identity, announced)
    if known.landed < announced.landed:
        found[announced.identity] = announced
