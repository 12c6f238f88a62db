"""One stack to a home: whoever starts it holds the lock until it is down, or dies."""

from __future__ import annotations

import fcntl
import os
from typing import IO, TYPE_CHECKING

import psutil

from dev.processes import PidFile, gone

if TYPE_CHECKING:
    from pathlib import Path


class Lock:
    """`run/stack.lock`, and beside it who holds it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._owner = PidFile(path.with_suffix(".json"))
        self._file: IO[str] | None = None

    def take(self) -> bool:
        """False when another process (or another stack of this one) holds it."""
        if self._file is not None:
            return True
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file = self._path.open("a")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            return False
        self._file = file
        self._owner.write(psutil.Process(), [])
        return True

    def release(self) -> None:
        if self._file is not None:
            self._owner.remove()
            self._file.close()
            self._file = None

    def owner(self) -> psutil.Process | None:
        """The process that holds the lock, if one does."""
        return self._owner.process()

    def dismiss_owner(self, *, within_seconds: float) -> None:
        """Ask another process that holds it to stop its stack, and wait; kill it when it does not."""
        owner = self.owner()
        if owner is None or owner.pid == os.getpid() or self.take():
            return
        owner.terminate()
        if not gone([owner], within_seconds=within_seconds):
            owner.kill()
            gone([owner], within_seconds=5)
