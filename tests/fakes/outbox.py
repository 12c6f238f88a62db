"""Events that wait for the broker, as `adapters.postgres.outbox` keeps them."""

from collections.abc import Sequence

from router.rules.completion import OutgoingEvent
from tests.fakes.database import FakeDatabase
from tests.fakes.lease import FakeLease

ROLE = "publication"


class FakeOutbox:
    """See `ports.OutboxLedger`."""

    def __init__(self, database: FakeDatabase, lease: FakeLease) -> None:
        self._database = database
        self._lease = lease
        self.hold = lease.hold
        self.release = lease.release

    async def outbox(self, limit: int) -> Sequence[tuple[int, OutgoingEvent]]:
        self._database.begin()
        return sorted(self._database.outbox.items(), key=lambda row: row[0])[:limit]

    async def published(self, ids: Sequence[int], epoch: int) -> None:
        self._database.begin()
        self._lease.check(ROLE, epoch)
        for row_id in ids:
            self._database.outbox.pop(row_id, None)
