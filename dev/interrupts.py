"""Turn "please stop" signals into a flag, so that nothing is interrupted half-way."""

from __future__ import annotations

import contextlib
import signal
import threading
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Flag:
    """What `threading.Event` is, for handlers of signals too: of an Event they may interrupt the holder of its lock.

    That thread would wait for itself, for ever. `SimpleQueue.put` is made for this: it never waits.
    """

    def __init__(self) -> None:
        self._is_set = False
        self._wakes: SimpleQueue[None] = SimpleQueue()

    def set(self) -> None:
        self._is_set = True
        self._wakes.put(None)

    def clear(self) -> None:
        """Forget it; nobody may be waiting."""
        self._is_set, self._wakes = False, SimpleQueue()

    def is_set(self) -> bool:
        return self._is_set

    def wait(self, seconds: float) -> bool:
        """Whether it is set, within so long."""
        with contextlib.suppress(Empty):
            self._wakes.put(self._wakes.get(timeout=seconds))  # and whoever else waits
        return self._is_set


@contextlib.contextmanager
def setting(flag: Flag) -> Iterator[None]:
    """While inside, SIGINT, SIGTERM and SIGHUP only set the flag (in the main thread; elsewhere nothing changes).

    Programs started inside get these signals at their default, also when we ourselves were started by a
    shell that ignores SIGINT: a handled signal is reset for a new program, an ignored one is not.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def set_flag(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - what signal() calls
        flag.set()

    before = {number: signal.signal(number, set_flag) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, action in before.items():
            signal.signal(number, action)
