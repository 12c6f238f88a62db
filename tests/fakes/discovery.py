"""Looks that are due and their answers, as `adapters.postgres.discovery` keeps them."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import assert_never

from router.ports.discovery import Looked, Measurement
from router.rules.looking import (
    LONGEST_PAUSE,
    NOT_LOADED,
    Look,
    NoAnswer,
    NotAsked,
    NotThere,
    There,
    another_version,
)
from tests.fakes.database import FakeDatabase
from tests.fakes.intake import row_of


class FakeDiscovery:
    """See `ports.discovery.DiscoveryLedger`."""

    def __init__(self, database: FakeDatabase) -> None:
        self._database = database

    async def due_looks(self, limit: int) -> Sequence[Look]:
        now = self._database.begin()
        due = [row for row in self._database.arrivals.values() if row.due <= now]
        given = sorted(due, key=lambda row: row.due)[:limit]
        for row in given:
            row.due, row.tries = now + timedelta(minutes=1), row.tries + 1
            row.look = replace(row.look, serial=self._database.next_serial())
        return [row.look for row in given]

    async def save_answers(self, measurements: Sequence[Measurement]) -> Looked:
        now = self._database.begin()
        self._database.answered = measurements
        new = removed = 0
        for one in measurements:
            lasts = self._lasts(one.look)
            match one.answer:
                case There():
                    new += self._there(one.look, one.answer, now)
                case NotThere() if lasts:
                    removed += self._not_there(one.look, one.answer, now)
                case NotAsked() if lasts:
                    self._end(one.look, "failed", one.answer.reason, now)
                    del self._database.arrivals[one.look.identity]
                case NoAnswer() if lasts:
                    row = self._database.arrivals[one.look.identity]
                    row.reason = one.answer.trouble
                    row.due = now + min(timedelta(seconds=2 ** min(row.tries, 16)), LONGEST_PAUSE)
                case NotThere() | NotAsked() | NoAnswer():
                    pass
                case _:
                    assert_never(one.answer)
        return Looked(new, removed)

    def _lasts(self, look: Look) -> bool:
        row = self._database.arrivals.get(look.identity)
        return row is not None and row.look.serial == look.serial

    def _there(self, look: Look, found: There, now: datetime) -> bool:
        identity = look.identity._replace(version=found.version)
        row, new = self._database.files.get(identity), row_of(look, found.size, found.place, now)
        is_new = row is None or row.outcome in NOT_LOADED
        if row is None:
            self._database.files[identity] = new
        elif row.outcome in NOT_LOADED:
            new.landed, new.round = max(row.landed, look.landed), row.round + 1
            self._database.files[identity] = new
        elif row.outcome is None:
            row.landed, row.request_id = max(row.landed, look.landed), None
        if look.identity.version not in {"", found.version}:
            self._database.insert_ended(look, "superseded", another_version(look.identity.version, found.version), now)
        if self._lasts(look):
            del self._database.arrivals[look.identity]
        return is_new

    def _not_there(self, look: Look, miss: NotThere, now: datetime) -> int:
        removed = 0
        if miss.outcome == "removed":
            for key, file in self._database.files.items():
                if key[:2] == look.identity[:2] and file.waits:
                    file.outcome, file.reason, removed = "removed", miss.reason, removed + 1
        if miss.outcome is not None:
            self._end(look, miss.outcome, miss.reason or "", now)
        if miss.letter is not None:
            self._database.put(miss.letter)
        if miss.again is None:
            del self._database.arrivals[look.identity]
        else:
            row = self._database.arrivals[look.identity]
            row.due, row.tries, row.reason = now + miss.again, 0, None
            row.look = replace(row.look, misses=look.misses + 1, removed=False, quiet=look.quiet or look.removed)
        return removed

    def _end(self, look: Look, outcome: str, reason: str, now: datetime) -> None:
        if not look.quiet:
            self._database.insert_ended(look, outcome, reason, now)
