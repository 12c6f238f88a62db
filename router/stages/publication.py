"""Outbox → Kafka: completion events and dead letters, at least once, the same id each time."""

from datetime import datetime

from router.ports import OutboxLedger, Publisher
from router.step import Fact, Step

ROLE = "publication"
EVENTS_A_STEP = 500


class PublicationStage:
    """A row is deleted once the broker has acknowledged it."""

    name = "publication"

    def __init__(self, ledger: OutboxLedger, publisher: Publisher) -> None:
        self._ledger = ledger
        self._publisher = publisher

    async def step(self, now: datetime) -> Step:
        """Publish the oldest rows, under the lease so that they keep their order."""
        epoch = await self._ledger.hold(ROLE)
        rows = await self._ledger.outbox(EVENTS_A_STEP) if epoch is not None else ()
        if epoch is None or not rows:
            return Step()
        await self._publisher.publish([event for _, event in rows])
        await self._ledger.published([row_id for row_id, _ in rows], epoch)
        return Step((Fact("events_published", count=len(rows)),), more=len(rows) == EVENTS_A_STEP)
