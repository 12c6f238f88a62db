"""Outbox → Kafka: completion events and dead letters, at least once, the same id each time."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime

from router.facts import EventSetAside, EventsPublished, EventsShortened, Fact, LeaseTaken
from router.ports.publication import PublicationLedger, Publisher
from router.rules.outgoing import OutgoingEvent
from router.rules.publication import Hold, Outcome, held, judged
from router.step import Step

ROLE = "publication"
EVENTS_A_STEP = 500
BYTES_A_STEP = 4 * 1024 * 1024
MAX_HELD_KEYS = 1000


class PublicationStage:
    """A row is deleted once the broker has acknowledged it; one that it refuses is tried shorter, or set aside.

    What the broker does not take now is held for a while, longer each time: a topic of which it takes nothing, else the
    keys it did not take. What is behind it under the same key waits with it, all others go on.
    """

    name = "publication"

    def __init__(self, ledger: PublicationLedger, publisher: Publisher) -> None:
        self._ledger = ledger
        self._publisher = publisher
        self._epoch: int | None = None
        self._topics: dict[str, Hold] = {}
        self._keys: dict[tuple[str, str], Hold] = {}

    async def step(self, now: datetime) -> Step:
        """Publish the oldest rows, under the lease so that they keep their order."""
        epoch = await self._ledger.hold(ROLE)
        if epoch is None:
            return Step()
        lease = () if epoch == self._epoch else (LeaseTaken(ROLE, epoch),)
        self._epoch = epoch
        rows = dict(
            await self._ledger.events_to_publish(
                EVENTS_A_STEP,
                max_bytes=BYTES_A_STEP,
                topics_held=[topic for topic, hold in self._topics.items() if hold.until > now],
                keys_held=[key for key, hold in self._keys.items() if hold.until > now],
            )
        )
        if not rows:
            return Step(lease)
        outcome = judged(
            {row_id: event.value for row_id, event in rows.items()},
            await self._publisher.publish(list(rows.values())),
        )
        facts = (*lease, *_facts(rows, outcome))
        if len(outcome.delayed) == len(rows):
            await self._ledger.release(ROLE)  # perhaps the broker answers another router
        else:
            await self._ledger.save_published(
                outcome.published, epoch, shorter=outcome.shorter, set_aside=outcome.set_aside
            )
        self._hold(rows, outcome, now)
        return Step(facts, more=len(outcome.delayed) < len(rows), trouble=next(iter(outcome.delayed.values()), None))

    def _hold(self, rows: Mapping[int, OutgoingEvent], outcome: Outcome, now: datetime) -> None:
        by_topic: dict[str, list[int]] = defaultdict(list)
        for row_id, event in rows.items():
            by_topic[event.topic].append(row_id)
        for topic, row_ids in by_topic.items():
            delayed = {rows[row_id].key: outcome.delayed[row_id] for row_id in row_ids if row_id in outcome.delayed}
            accepted = {rows[row_id].key for row_id in row_ids if row_id not in outcome.delayed}
            before = self._topics.pop(topic, None)
            for key in accepted:
                self._keys.pop((topic, key), None)
            if delayed and (not accepted or len(self._keys) > MAX_HELD_KEYS):
                self._topics[topic] = held(before, next(iter(delayed.values())), now)
                continue
            for key, reason in delayed.items():
                self._keys[topic, key] = held(self._keys.get((topic, key)), reason, now)


def _facts(rows: Mapping[int, OutgoingEvent], outcome: Outcome) -> Iterator[Fact]:
    if outcome.published:
        yield EventsPublished(len(outcome.published))
    if outcome.shorter:
        yield EventsShortened(len(outcome.shorter))
    for row_id, reason in outcome.set_aside.items():
        yield EventSetAside(rows[row_id].topic, _id(rows[row_id]), reason)


def _id(event: OutgoingEvent) -> str:
    found: str = json.loads(event.value)["id"]
    return found
