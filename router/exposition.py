"""The text of `/metrics`: what was counted, and what is read when somebody asks."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

from router.adapters.metrics import Backlog, Metrics
from router.errors import Transient
from router.ports.clock import Clock
from router.rules.status import LineStatus, Standing
from schemas.config.lanes import Lane

LOOK_EVERY_SECONDS = 5.0
LOOK_PATIENCE = timedelta(seconds=5)  # a scrape waits no longer for it, by default ten seconds in all
PAUSE_AFTER_LOOK = 9  # times what it took
RENDER_EVERY_SECONDS = 1.0


class Consumer(Protocol):
    """What is read of some topics, and what not yet."""

    def lag(self) -> Mapping[str, int]:
        """Records that are not read, by topic."""

    def behind_since(self) -> Mapping[str, datetime]:
        """When the first was written that is not taken in, by topic; those without are left out."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Who tells what stands: the ledger, within a time, what waits and all the rest; consumers; and the stages."""

    lines: Callable[[timedelta], Awaitable[Sequence[LineStatus]]]
    standing: Callable[[timedelta], Awaitable[Standing]]
    consumers: Sequence[Consumer]
    held_up: Callable[[], Mapping[tuple[Lane, str], int]]
    slots: Callable[[datetime], Mapping[Lane, int]]


class Exposition:
    """The /metrics text; backlog and lag are re-read at most every 5 s, and a tenth of the time at most.

    However many ask at once, one reads and renders, and the others get the same text.
    """

    def __init__(self, metrics: Metrics, sources: Sources, clock: Clock) -> None:
        self._metrics = metrics
        self._sources = sources
        self._clock = clock
        self._turn = asyncio.Lock()
        self._next_look = 0.0
        self._next_text = dict.fromkeys((True, False), 0.0)
        self._text = dict.fromkeys((True, False), b"")

    async def text(self, *, with_examples: bool = False) -> bytes:
        """The text, rendered outside the loop: of many sources that takes longer than a stage may wait."""
        async with self._turn:
            if time.monotonic() >= self._next_text[with_examples]:
                await self._look()
                text = await asyncio.to_thread(partial(self._metrics.exposition, with_examples=with_examples))
                self._text[with_examples] = text
                self._next_text[with_examples] = time.monotonic() + RENDER_EVERY_SECONDS
            return self._text[with_examples]

    async def _look(self) -> None:
        """Re-read lag and backlog; without the ledger's answer that stays as it was, with the time of its count."""
        begun = time.monotonic()
        if begun < self._next_look:
            return
        self._metrics.held_up(self._sources.held_up())
        self._metrics.slots(self._sources.slots(self._clock.now()))
        for consumer in self._sources.consumers:
            lag = consumer.lag()
            self._metrics.lags(lag)
            self._metrics.behind(consumer.behind_since(), lag, self._clock.now())
        with suppress(Transient):
            self._metrics.stands(await self._sources.standing(LOOK_PATIENCE), self._clock.now())
            lines = await self._sources.lines(LOOK_PATIENCE)
            await asyncio.to_thread(self._waits, lines)
        now = time.monotonic()
        self._next_look = now + max(LOOK_EVERY_SECONDS, (now - begun) * PAUSE_AFTER_LOOK)

    def _waits(self, lines: Sequence[LineStatus]) -> None:
        backlogs = [Backlog(line.source_id, line.lane, line.files, line.bytes, line.landed) for line in lines]
        self._metrics.waits(backlogs, self._clock.now())
