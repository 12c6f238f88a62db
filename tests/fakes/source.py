"""A consumer group's records, as `adapters.kafka` reads them: a log a partition, with committed offsets."""

from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from datetime import datetime

from router.errors import Transient
from router.notifications.record import Position, Record

Partition = tuple[str, int]


class FakeBroker:
    """The logs of one group's topics, and which member reads which partition. `away` makes everything Transient."""

    def __init__(self, partitions: Sequence[Partition]) -> None:
        self.away = False
        self.logs: dict[Partition, list[Record]] = {partition: [] for partition in partitions}
        self.committed: dict[Partition, int] = defaultdict(int)
        self._members: list[FakeSource] = []

    def append(self, partition: Partition, value: bytes | None, written: datetime) -> Record:
        log = self.logs[partition]
        record = Record(Position(*partition, len(log)), None, value, (), written)
        log.append(record)
        return record

    def join(self, member: "FakeSource") -> None:
        """A member has come; a member that leaves, or is killed, is put out by `leave`."""
        self._members.append(member)
        self.rebalance()

    def leave(self, member: "FakeSource") -> None:
        member.position.clear()
        if member in self._members:
            self._members.remove(member)
            self.rebalance()

    def rebalance(self) -> None:
        """Deal the partitions anew, others to others each time. What is uncommitted is read again."""
        self._members = [*self._members[1:], *self._members[:1]]
        for member in self._members:
            member.position.clear()
        for turn, partition in enumerate(sorted(self.logs)):
            if self._members:
                owner = self._members[turn % len(self._members)]
                owner.position[partition] = self.committed[partition]

    def committed_records(self) -> Iterator[Record]:
        for partition, log in self.logs.items():
            yield from log[: self.committed[partition]]

    @property
    def unread(self) -> int:
        """Records that the member reading their partition has not polled yet."""
        read = {partition: offset for member in self._members for partition, offset in member.position.items()}
        return sum(len(log) - read.get(partition, 0) for partition, log in self.logs.items())

    @property
    def lag(self) -> int:
        return sum(len(log) - self.committed[partition] for partition, log in self.logs.items())


class FakeSource:
    """See `ports.intake.Source`. What was polled and not committed is read again."""

    def __init__(self, broker: FakeBroker, *, records_a_poll: int = 2000) -> None:
        self._broker = broker
        self._records_a_poll = records_a_poll
        self._joined = False
        self._uncommitted: deque[dict[Partition, int]] = deque()  # of each poll what comes next
        self.position: dict[Partition, int] = {}

    async def poll(self) -> Sequence[Record]:
        if self._uncommitted:
            await self.close()
        if self._broker.away:
            await self.close()
            raise Transient("Kafka: away")
        if not self._joined:
            self._broker.join(self)
            self._joined = True
        return self._read()

    async def poll_ahead(self) -> Sequence[Record]:
        if self._broker.away:
            await self.close()
            raise Transient("Kafka: away")
        return self._read()

    def _read(self) -> Sequence[Record]:
        found: list[Record] = []
        ends: dict[Partition, int] = {}
        for partition, start in self.position.items():
            records = self._broker.logs[partition][start : start + self._records_a_poll - len(found)]
            if records:
                ends[partition] = self.position[partition] = start + len(records)
                found += records
        if found:
            self._uncommitted.append(ends)
        return found

    async def commit(self) -> None:
        if not self._uncommitted:
            return
        if self._broker.away:
            raise Transient("Kafka: away")
        ends = self._uncommitted.popleft()
        self._broker.committed.update({partition: end for partition, end in ends.items() if partition in self.position})

    async def close(self) -> None:
        self._joined = False
        self._uncommitted.clear()
        self.leave()

    def leave(self) -> None:
        """Its process has ended, or was killed."""
        self._broker.leave(self)
