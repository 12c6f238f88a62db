"""Storage → ledger: what no event told. An arrival without a version or a size becomes a file once it is measured."""

import asyncio
from datetime import datetime

from router.errors import Transient
from router.ports import Announced, ArrivalLedger, Measurement, Store
from router.rules.completion import missing_object
from router.rules.sizing import Sizing
from router.step import Fact, Step

ARRIVALS_A_STEP = 64
REQUESTS_AT_ONCE = 32


class DiscoveryStage:
    """Measures arrivals, many at once; what the storage does not answer is due again later."""

    name = "discovery"

    def __init__(self, store: Store, ledger: ArrivalLedger, sizing: Sizing) -> None:
        self._store = store
        self._ledger = ledger
        self._sizing = sizing
        self._places = asyncio.Semaphore(REQUESTS_AT_ONCE)

    async def step(self, now: datetime) -> Step:
        """Measure what is due."""
        arrivals = await self._ledger.to_measure(ARRIVALS_A_STEP)
        if not arrivals:
            return Step()
        measurements = await asyncio.gather(*(self._measure(arrival) for arrival in arrivals))
        new_files = await self._ledger.measured(measurements)
        missing = sum(measurement.letter is not None for measurement in measurements)
        troubles = [measurement.trouble for measurement in measurements if measurement.trouble]
        facts = [Fact("arrivals_measured", {"new_files": new_files}, len(measurements) - missing - len(troubles))]
        if missing:
            facts.append(Fact("records_dead_lettered", {"reason": "missing-object"}, missing))
        if troubles:
            facts.append(Fact("measuring_failed", {"trouble": troubles[0]}, len(troubles)))
        return Step(tuple(facts), more=len(arrivals) == ARRIVALS_A_STEP)

    async def _measure(self, arrival: Announced) -> Measurement:
        async with self._places:
            try:
                found = await self._store.measure(arrival.uri)
            except Transient as trouble:
                return Measurement(arrival, trouble=str(trouble))
        source_id = arrival.identity.source_id
        if found is not None:
            return Measurement(arrival, found, self._sizing.place(source_id, arrival.uri, found.size))
        return Measurement(arrival, letter=missing_object(arrival.position, source_id, arrival.uri, arrival.landed))
