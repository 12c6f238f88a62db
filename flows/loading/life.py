"""A run that lives says so in the ledger, and learns there when nobody wants it any more.

The main thread may hang in a call to Spark for as long as it likes: a thread of its own says it. A ledger that is away
is tried again. Who is not wanted any more interrupts what runs in Spark; if that does not end the run, its process
ends, so that a hung run does not keep its worker's slot.
"""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from threading import Event, Thread
from typing import TYPE_CHECKING

import psycopg

from flows.loading.errors import Infrastructure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pyspark.sql import SparkSession

    from flows.loading.ledger import Claimed, Ledger

GRACE_SECONDS = 30.0


class Life:
    """The life of a run that works on a claimed attempt: told in the ledger, ended when nobody wants it."""

    def __init__(
        self,
        ledger: Ledger,
        claimed: Claimed,
        *,
        grace: float | None = None,
        leave: Callable[[int], object] = os._exit,
    ) -> None:
        self._ledger = ledger
        self._claimed = claimed
        self._grace = GRACE_SECONDS if grace is None else grace
        self._leave = leave
        self._session: SparkSession | None = None
        self._is_over = Event()
        self.is_wanted = True

    @contextmanager
    def told(self, seconds: float | None) -> Iterator[Life]:
        """Say every so many seconds that the run lives, as long as this lasts; never when there are none."""
        if seconds is not None:
            Thread(target=self._tell, args=(seconds,), name="life", daemon=True).start()
        try:
            yield self
        finally:
            self._is_over.set()

    def works_in(self, session: SparkSession) -> None:
        """What to interrupt when the run is not wanted any more."""
        self._session = session

    def _tell(self, seconds: float) -> None:
        while not self._is_over.wait(seconds):
            with suppress(Infrastructure, psycopg.Error):
                if not self._ledger.touch(self._claimed):
                    self._go_home()
                    return

    def _go_home(self) -> None:
        self.is_wanted = False
        # In a thread too: a server that hangs does not answer this either.
        Thread(target=self._interrupt, name="interrupt", daemon=True).start()
        if not self._is_over.wait(self._grace):
            self._leave(1)

    def _interrupt(self) -> None:
        with suppress(Exception):  # a session that is closed, or a server that is gone: both are what we want
            if self._session is not None:
                self._session.interruptAll()
