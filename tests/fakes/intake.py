"""What intake records, as `adapters.postgres.intake` does."""

from dataclasses import replace
from datetime import datetime

from router.ports.intake import Announced, Intake, Recorded
from router.rules.looking import (
    NOT_LOADED,
    Look,
)
from router.rules.sizing import Place
from tests.fakes.database import FakeDatabase, FileRow


class FakeIntake:
    """See `ports.intake.IntakeLedger`."""

    def __init__(self, database: FakeDatabase) -> None:
        self._database = database

    async def record(self, intake: Intake) -> Recorded:
        now = self._database.begin()
        files = sum(self._record(file, now) for file in intake.files)
        unmeasured = sum(self._database.tell(_look(one), now) for one in intake.unmeasured)
        doubted = sum(
            self._doubt(removal, now) for removal in {one.identity[:2]: one for one in intake.removed}.values()
        )
        for trace in intake.traces:
            if trace.identity.version == "" or trace.identity not in self._database.traces:
                self._database.traces[trace.identity] = trace.traceparent
        for letter in intake.letters:
            self._database.put(letter)
        return Recorded(files, unmeasured, doubted)

    def _record(self, file: Announced, now: datetime) -> bool:
        row = self._database.files.get(file.identity)
        if row is None:
            self._database.files[file.identity] = row_of(file, file.size or 0, file.place, now)
            return True
        if row.outcome is None:
            row.landed, row.request_id = max(row.landed, file.landed), None
        if row.outcome in NOT_LOADED:
            self._database.tell(replace(_look(file), identity=file.identity._replace(version=""), quiet=True), now)
        return False

    def _doubt(self, removal: Announced, now: datetime) -> bool:
        of = removal.identity[:2]
        keys = {key for key in self._database.arrivals if key[:2] == of}
        if any(row.waits for key, row in self._database.files.items() if key[:2] == of):
            keys.add(removal.identity._replace(version=""))
        for key in keys:
            self._database.tell(replace(_look(removal), identity=key, removed=True, quiet=True), now)
        return bool(keys)


def _look(told: Announced) -> Look:
    return Look(told.identity, told.uri, told.landed, told.position)


def row_of(told: Announced | Look, size: int, place: Place | None, now: datetime) -> FileRow:
    place = place or Place("default", 1, size)
    row = FileRow(told.uri, size, told.landed, now, estimate=place.estimate, lane=place.lane)
    row.position = told.position
    return row
