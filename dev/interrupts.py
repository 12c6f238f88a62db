"""Turn "please stop" signals into an event, so that nothing is interrupted half-way."""

from __future__ import annotations

import contextlib
import signal
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def setting(event: threading.Event) -> Iterator[None]:
    """While inside, SIGINT, SIGTERM and SIGHUP only set the event (in the main thread; elsewhere nothing changes).

    Programs started inside get these signals at their default, also when we ourselves were started by a
    shell that ignores SIGINT: a handled signal is reset for a new program, an ignored one is not.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def set_event(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - what signal() calls
        event.set()

    before = {number: signal.signal(number, set_event) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, action in before.items():
            signal.signal(number, action)
