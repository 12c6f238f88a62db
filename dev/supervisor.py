"""Restart what dies: Spark Connect ends itself when its memory is used up, the rest may crash."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dev.errors import Cancelled, StackError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dev.launch import Launcher
    from dev.parts import Service

LONGEST_WAIT_SECONDS = 30.0
# A part that lived this long is healthy: its next death is counted as the first.
HEALTHY_SECONDS = 60.0

_LOOK_SECONDS = 0.25


@dataclass(slots=True)
class _Watched:
    """What is known about one part; times are of the monotonic clock."""

    deaths: int = 0
    started: float = 0.0
    restart_at: float | None = None


def wait_before_restart(deaths: int) -> float:
    """Seconds: none the first time, then doubling to the longest."""
    return 0.0 if deaths <= 1 else min(LONGEST_WAIT_SECONDS, 2.0 ** (deaths - 2))


@dataclass(slots=True)
class Supervisor:
    launcher: Launcher
    services: Sequence[Service]
    _watched: dict[str, _Watched] = field(default_factory=dict)

    def run(self) -> None:
        """Look and restart until the launcher is cancelled."""
        self._watched = {service.name: _Watched(started=time.monotonic()) for service in self.services}
        while not self.launcher.cancelled.wait(_LOOK_SECONDS):
            for service in self.services:
                self._look_at(service, self._watched[service.name], time.monotonic())

    def _look_at(self, service: Service, watched: _Watched, now: float) -> None:
        file = self.launcher.pid_file(service.name)
        if watched.restart_at is None and file.exists() and file.process() is None:
            self._note_death(service, watched, now)
        if watched.restart_at is not None and now >= watched.restart_at:
            self._restart(service, watched)

    def _note_death(self, service: Service, watched: _Watched, now: float) -> None:
        watched.deaths = 1 if now - watched.started > HEALTHY_SECONDS else watched.deaths + 1
        wait = wait_before_restart(watched.deaths)
        watched.restart_at = now + wait
        code = self.launcher.exit_code(service.name)
        how = "" if code is None else f" with exit code {code}"
        self.launcher.tell(service.name, f"died{how}: restarting" + (f" in {wait:.0f} s" if wait else ""))

    def _restart(self, service: Service, watched: _Watched) -> None:
        watched.restart_at = None
        try:
            self.launcher.start(service)
        except Cancelled:
            return
        except StackError as error:
            self._note_failure(service, watched, error)
        watched.started = time.monotonic()

    def _note_failure(self, service: Service, watched: _Watched, error: StackError) -> None:
        watched.deaths += 1
        watched.restart_at = time.monotonic() + wait_before_restart(watched.deaths)
        self.launcher.tell(service.name, f"did not restart: {error}")
