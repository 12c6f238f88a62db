"""The text of `/metrics`: what was counted, and what is read when somebody asks."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import TypeAlias

from router.adapters.metrics import Backlog, Metrics
from router.errors import Transient
from router.ports.clock import Clock
from router.rules.status import LineStatus
from schemas.config.lanes import Lane

LOOK_EVERY_SECONDS = 5.0
LOOK_PATIENCE = timedelta(seconds=5)  # a scrape waits no longer for it, by default ten seconds in all
PAUSE_AFTER_LOOK = 9  # times what it took
RENDER_EVERY_SECONDS = 1.0
CountLines: TypeAlias = Callable[[timedelta], Awaitable[Sequence[LineStatus]]]
CountHeldUp: TypeAlias = Callable[[], Mapping[tuple[Lane, str], int]]
CountLag: TypeAlias = Callable[[], Mapping[str, int]]


class Exposition:
    """The /metrics text; backlog and lag are re-read at most every 5 s, and a tenth of the time at most.

    However many ask at once, one reads and renders, and the others get the same text.
    """

    def __init__(
        self, metrics: Metrics, lines: CountLines, lags: Sequence[CountLag], held_up: CountHeldUp, clock: Clock
    ) -> None:
        self._metrics = metrics
        self._held_up = held_up
        self._lines = lines
        self._lags = lags
        self._clock = clock
        self._turn = asyncio.Lock()
        self._next_look = 0.0
        self._next_text = 0.0
        self._text = b""

    async def text(self) -> bytes:
        """The text, rendered outside the loop: of many sources that takes longer than a stage may wait."""
        async with self._turn:
            if time.monotonic() >= self._next_text:
                await self._look()
                self._text = await asyncio.to_thread(self._metrics.exposition)
                self._next_text = time.monotonic() + RENDER_EVERY_SECONDS
            return self._text

    async def _look(self) -> None:
        """Re-read lag and backlog; without the ledger's answer that stays as it was, with the time of its count."""
        begun = time.monotonic()
        if begun < self._next_look:
            return
        self._metrics.held_up(self._held_up())
        for lag in self._lags:
            self._metrics.lags(lag())
        with suppress(Transient):
            lines = await self._lines(LOOK_PATIENCE)
            await asyncio.to_thread(self._waits, lines)
        now = time.monotonic()
        self._next_look = now + max(LOOK_EVERY_SECONDS, (now - begun) * PAUSE_AFTER_LOOK)

    def _waits(self, lines: Sequence[LineStatus]) -> None:
        backlogs = [Backlog(line.source_id, line.lane, line.files, line.bytes, line.landed) for line in lines]
        self._metrics.waits(backlogs, self._clock.now())
