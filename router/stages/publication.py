"""Outbox → Kafka: completion events and dead letters, at least once, the same id each time."""

from datetime import datetime

from router.ports import OutboxLedger, Publisher
from router.step import Fact, Step, lease_taken

ROLE = "publication"
EVENTS_A_STEP = 500


class PublicationStage:
    """A row is deleted once the broker has acknowledged it."""

    name = "publication"

    def __init__(self, ledger: OutboxLedger, publisher: Publisher) -> None:
        self._ledger = ledger
        self._publisher = publisher
        self._epoch: int | None = None

    async def step(self, now: datetime) -> Step:
        """Publish the oldest rows, under the lease so that they keep their order."""
        epoch = await self._ledger.hold(ROLE)
        if epoch is None:
            return Step()
        taken = lease_taken(ROLE, self._epoch, epoch)
        self._epoch = epoch
        rows = await self._ledger.outbox(EVENTS_A_STEP)
        if not rows:
            return Step(taken)
        await self._publisher.publish([event for _, event in rows])
        await self._ledger.published([row_id for row_id, _ in rows], epoch)
        return Step((*taken, Fact("events_published", count=len(rows))), more=len(rows) == EVENTS_A_STEP)
