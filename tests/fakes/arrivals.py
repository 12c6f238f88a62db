"""`file` and `arrival`, as `adapters.postgres.arrivals` keeps them."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from router.ports import Announced, Intake, Measurement, Recorded
from router.rules.identity import Identity
from router.rules.sizing import Place
from tests.fakes.database import ArrivalRow, FakeDatabase, FileRow

_LONGEST_PAUSE = timedelta(minutes=10)


class FakeArrivals:
    """See `ports.ArrivalLedger`."""

    def __init__(self, database: FakeDatabase) -> None:
        self._database = database

    async def record(self, intake: Intake) -> Recorded:
        now = self._database.begin()
        files = sum(self._insert_file(file, now) for file in intake.files)
        unmeasured = sum(self._insert_arrival(arrival, now) for arrival in intake.unmeasured)
        removed = sum(self._remove(removal, now) for removal in intake.removed)
        for letter in intake.letters:
            self._database.put(letter)
        return Recorded(files, unmeasured, removed)

    async def to_measure(self, limit: int) -> Sequence[Announced]:
        now = self._database.begin()
        due = [row for row in self._database.arrivals.values() if row.due <= now]
        given = sorted(due, key=lambda row: row.due)[:limit]
        for row in given:
            row.due, row.tries = now + timedelta(minutes=1), row.tries + 1
        return [row.arrival for row in given]

    async def measured(self, measurements: Sequence[Measurement]) -> int:
        now = self._database.begin()
        new = sum(self._measured(one, now) for one in measurements)
        for one in measurements:
            if one.letter is not None:
                self._database.put(one.letter)
        return new

    def _measured(self, one: Measurement, now: datetime) -> bool:
        told = one.arrival.identity
        if one.trouble is not None:
            self._put_off(told, one.trouble, now)
            return False
        row = self._database.arrivals.get(told)
        if row is not None and row.arrival.landed == one.arrival.landed:
            del self._database.arrivals[told]
        if one.found is None:
            self._insert_ended(one.arrival, "missing", now)
            return False
        identity = Identity(told.source_id, told.object, one.found.version)
        arrival = one.arrival
        file = Announced(identity, arrival.uri, one.found.size, arrival.landed, arrival.position, one.place)
        new = self._insert_file(file, now)
        if told.version not in {"", one.found.version}:
            self._insert_ended(arrival, "superseded", now)
        return new

    def _insert_file(self, file: Announced, now: datetime) -> bool:
        row, size = self._database.files.get(file.identity), file.size or 0
        place = file.place or Place("default", 1, size)
        new = FileRow(file.uri, size, file.landed, now, estimate=place.estimate, lane=place.lane)
        if row is None:
            self._database.files[file.identity] = new
            return True
        if row.outcome is None:
            row.request_id = None
        if row.landed >= file.landed or row.outcome not in {None, "removed", "missing", "superseded"}:
            return False
        if row.outcome is None:
            row.landed, row.again = file.landed, row.batch_id is not None
            return False
        new.round = row.round + 1
        self._database.files[file.identity] = new
        return True

    def _insert_arrival(self, arrival: Announced, now: datetime) -> bool:
        known = self._database.arrivals.get(arrival.identity)
        if known is not None and known.arrival.landed >= arrival.landed:
            return False
        self._database.arrivals[arrival.identity] = ArrivalRow(arrival, now)
        return True

    def _insert_ended(self, arrival: Announced, outcome: str, now: datetime) -> None:
        row = FileRow(arrival.uri, 0, arrival.landed, now, outcome=outcome)
        row.reason = f"{outcome} before it was measured"
        self._database.files.setdefault(arrival.identity, row)

    def _remove(self, removal: Announced, now: datetime) -> int:
        removed = 0
        arrivals, files = self._database.arrivals, self._database.files
        for identity in [key for key, row in arrivals.items() if _is_of(key, row.arrival.landed, removal)]:
            self._insert_ended(arrivals.pop(identity).arrival, "removed", now)
            removed += 1
        rows = [row for key, row in files.items() if _is_of(key, row.landed, removal) and row.waits]
        for row in rows:
            row.outcome, row.reason = "removed", "removed before its load began"
        return removed + len(rows)

    def _put_off(self, identity: Identity, trouble: str, now: datetime) -> None:
        if row := self._database.arrivals.get(identity):
            row.reason, row.due = trouble, now + min(timedelta(seconds=2 ** min(row.tries, 16)), _LONGEST_PAUSE)


def _is_of(identity: Identity, landed: datetime, removal: Announced) -> bool:
    """Whether a removal is of this object, and later."""
    same = (identity.source_id, identity.object) == (removal.identity.source_id, removal.identity.object)
    return same and landed <= removal.landed
