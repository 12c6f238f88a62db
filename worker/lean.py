"""What Prefect's engine does for each run that costs its time and that nobody here needs.

It is replaced by name, in the child alone. Where a name is gone, Prefect does as it likes: only the time is lost.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Any

from prefect import flow_engine

REPLACED: dict[str, Callable[[Callable[..., Any]], Callable[..., Any]]] = {
    # A websocket, 150 ms, by which a run learns that a person suspends it. A load cannot be: it is cancelled.
    "observe_flow_run_suspension": lambda _theirs: lambda *_: nullcontext(),
    # Its thread sleeps by the second, and the engine waits for it.
    "_send_heartbeats": lambda theirs: partial(theirs, join_on_exit=False),
}


def make_lean() -> None:
    """Replace them in this process, as far as they are there."""
    for name, ours in REPLACED.items():
        if (theirs := getattr(flow_engine, name, None)) is not None:
            setattr(flow_engine, name, ours(theirs))
