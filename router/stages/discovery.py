"""Storage → ledger: looks at the objects whose events did not settle what they are; the storage's answer decides.

An object that is there becomes a waiting file. If a removal was told and it is gone, what waits of it is `removed`.
"""

import asyncio
from collections.abc import Iterator, Sequence
from datetime import datetime

from router.errors import Transient
from router.facts import (
    ArrivalsMeasured,
    Fact,
    FilesNotConfigured,
    FilesRemoved,
    MeasuringFailed,
    ObjectsNotThere,
    RecordsDeadLettered,
)
from router.ports.discovery import DiscoveryLedger, Looked, Measurement
from router.ports.storage import Store
from router.rules.belonging import Belonging
from router.rules.looking import Look, NoAnswer, NotAsked, NotThere, StorageAnswer, There, not_there
from router.rules.sizing import Sizing
from router.step import Step

LOOKS_A_STEP = 256
STORAGE_CALLS_AT_ONCE = 32


class DiscoveryStage:
    """Looks at many objects at once; what the storage does not answer is due again later."""

    name = "discovery"

    def __init__(self, store: Store, ledger: DiscoveryLedger, belonging: Belonging, sizing: Sizing) -> None:
        self._store = store
        self._ledger = ledger
        self._belonging = belonging
        self._sizing = sizing
        self._places = asyncio.Semaphore(STORAGE_CALLS_AT_ONCE)

    async def step(self, now: datetime) -> Step:
        """Look at the objects that are due, and record what the storage says."""
        looks = await self._ledger.due_looks(LOOKS_A_STEP)
        if not looks:
            return Step()
        answers = await asyncio.gather(*(self._answer(look) for look in looks))
        looked = await self._ledger.save_answers(list(map(Measurement, looks, answers)))
        are_more = len(looks) == LOOKS_A_STEP
        return Step(tuple(_facts(answers, looked)), more=are_more, goes_on=are_more)

    async def _answer(self, look: Look) -> StorageAnswer:
        """Nothing is asked of a storage for a source that does not take the file as the configuration is now."""
        source_id = look.identity.source_id
        if not self._belonging.knows(source_id):
            return NoAnswer(f"its source {source_id} is not in the configuration; it waits until it is again")
        if refusal := self._belonging.refusal(source_id, look.uri):
            return NotAsked(refusal)
        async with self._places:
            try:
                found = await self._store.measure(look.uri)
            except Transient as trouble:
                return NoAnswer(str(trouble))
        if found is None:
            return not_there(look)
        return There(found.version, found.size, self._sizing.place(source_id, look.uri, found.size))


def _facts(answers: Sequence[StorageAnswer], looked: Looked) -> Iterator[Fact]:
    yield ArrivalsMeasured(sum(isinstance(one, There) for one in answers), looked.new)
    misses = [one for one in answers if isinstance(one, NotThere)]
    if misses:
        yield ObjectsNotThere(len(misses), looked_at_again=sum(one.again is not None for one in misses))
    if letters := sum(one.letter is not None for one in misses):
        yield RecordsDeadLettered(letters, "missing-object")
    if looked.removed:
        yield FilesRemoved(looked.removed)
    if refusals := [one.reason for one in answers if isinstance(one, NotAsked)]:
        yield FilesNotConfigured(len(refusals), None, refusals[0])
    if troubles := [one.trouble for one in answers if isinstance(one, NoAnswer)]:
        yield MeasuringFailed(len(troubles), troubles[0])
