"""Events that wait for the broker, as `adapters.postgres.publication` keeps them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from router.rules.outgoing import OutgoingEvent
from router.rules.publication import SET_ASIDE
from tests.fakes.database import FakeDatabase
from tests.fakes.lease import FakeLease

ROLE = "publication"


class FakePublication:
    """See `ports.publication.PublicationLedger`."""

    def __init__(self, database: FakeDatabase, lease: FakeLease) -> None:
        self._database = database
        self._lease = lease
        self.hold = lease.hold
        self.release = lease.release

    async def events_to_publish(
        self,
        limit: int,
        *,
        max_bytes: int | None = None,
        topics_held: Sequence[str] = (),
        keys_held: Sequence[tuple[str, str]] = (),
    ) -> Sequence[tuple[int, OutgoingEvent]]:
        now = self._database.begin()
        rows: list[tuple[int, OutgoingEvent]] = []
        total = 0
        for row_id, event in sorted(self._database.outbox.items(), key=lambda row: row[0]):
            is_held = event.topic in topics_held or (event.topic, event.key) in keys_held
            if is_held or self._database.set_aside.get(row_id, now) > now:
                continue
            if len(rows) == limit or (max_bytes is not None and total >= max_bytes):
                break
            rows.append((row_id, event))
            total += len(event.value.encode())
        return rows

    async def save_published(
        self,
        ids: Sequence[int],
        epoch: int,
        *,
        shorter: Mapping[int, str] | None = None,
        set_aside: Mapping[int, str] | None = None,
    ) -> None:
        now = self._database.begin()
        self._lease.check(ROLE, epoch)
        for row_id in ids:
            self._database.outbox.pop(row_id, None)
        for row_id, value in (shorter or {}).items():
            if row_id in self._database.outbox:
                self._database.outbox[row_id] = replace(self._database.outbox[row_id], value=value)
        for row_id in set_aside or ():
            self._database.set_aside[row_id] = now + SET_ASIDE
