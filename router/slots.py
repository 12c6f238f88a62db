"""How many runs of each lane may be in flight: as configured, or as its workers have room that are there."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta

from router.errors import Transient
from router.ports.runs import Runs
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
