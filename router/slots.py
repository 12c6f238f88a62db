"""How many runs of each lane may be in flight: as configured, or as its workers have room that are there.

And what of it is free in a step of scheduling.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from router.errors import Transient
from router.ports.runs import Runs
from router.step import Pass
from schemas.config import Config
from schemas.config.lanes import LANES, Lane

COUNTED_EVERY = timedelta(seconds=10)
KNOWN_FOR = timedelta(minutes=1)


class Slots:
    """The slots of each lane; Prefect is asked for the workers of those that follow them, every ten seconds."""

    def __init__(self, config: Config, runs: Runs) -> None:
        self._lanes = {lane: config.lanes.of(lane) for lane in LANES}
        self._following = [lane for lane, settings in self._lanes.items() if settings.follow_workers]
        self._runs = runs
        self._online: Mapping[Lane, int] = {}
        self._asked: datetime | None = None
        self._counted: datetime | None = None

    async def count(self, now: datetime) -> Mapping[Lane, int]:
        """Every lane's. When Prefect does not answer they stay as they were; at first, as configured."""
        if self._following and (self._asked is None or now - self._asked >= COUNTED_EVERY):
            self._asked = now
            with suppress(Transient):
                self._online = await self._runs.workers(self._following)
                self._counted = now
        return {lane: self._of(lane) for lane in LANES}

    def known(self, now: datetime) -> Mapping[Lane, int]:
        """Those of which this router knows: who does not hold the lease counts no workers."""
        is_known = self._counted is not None and now - self._counted < KNOWN_FOR
        return {lane: self._of(lane) for lane in LANES if is_known or lane not in self._following}

    def _of(self, lane: Lane) -> int:
        settings = self._lanes[lane]
        return min(settings.workers, self._online.get(lane, settings.workers)) * settings.slots_per_worker


@dataclass(slots=True)
class Room:
    """What is free in one step, under one epoch of the lease."""

    free: dict[Lane, int]
    epoch: int
    work: Pass
    busy: set[tuple[str, Lane]] = field(default_factory=set)
    away: set[str] = field(default_factory=set)
    to_try: set[str] = field(default_factory=set)

    @property
    def lanes(self) -> Sequence[Lane]:
        """The lanes that have a free slot."""
        return [lane for lane, slots in self.free.items() if slots > 0]

    def has(self, source_id: str, lane: Lane) -> bool:
        """Whether a source may have a batch in a lane."""
        return self.free[lane] > 0 and (source_id, lane) not in self.busy

    def take(self, source_id: str, lane: Lane) -> None:
        self.free[lane] -= 1
        self.busy.add((source_id, lane))
