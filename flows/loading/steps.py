"""The steps of a load, timed; whoever watches is told after each."""

from __future__ import annotations

import time
from collections.abc import Callable

Watch = Callable[[str], None]


def unwatched(_step: str) -> None:
    """Do nothing: nobody watches."""


class Steps:
    """Seconds by step, added up when a step is done again.

    In this order: claim, session, look, probe, read, stage, audit, probe, record, publish, result. After `record` the
    snapshot may be published; after `publish` it is.
    """

    def __init__(self, watch: Watch = unwatched) -> None:
        self._watch = watch
        self._last = time.monotonic()
        self.seconds: dict[str, float] = {}

    def done(self, step: str) -> None:
        """This step took the time since the last one."""
        now = time.monotonic()
        self.seconds[step] = round(self.seconds.get(step, 0.0) + now - self._last, 3)
        self._watch(step)
        self._last = time.monotonic()
