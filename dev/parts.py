"""What a part of the stack is: a `Service` runs until it is stopped, a `Step` is done once and over."""

from __future__ import annotations

import signal
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


class RunOnce(Protocol):
    """Runs a program to its end, its output in the part's log; raises StackError when it fails.

    Ends that program and raises Cancelled when the start of the stack is interrupted.
    """

    def __call__(self, command: Sequence[str], environment: Mapping[str, str] | None = None) -> None: ...


def _nothing(run: RunOnce) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Service:
    """A long-running program.

    `prepare` comes before the program, `complete` once it answers; both are run at every start and so do
    only what is not done yet. `command` is called after `prepare`.
    """

    name: str
    needs: tuple[str, ...]
    command: Callable[[], list[str]]
    ready: Callable[[], bool]
    environment: Mapping[str, str] = field(default_factory=dict)
    prepare: Callable[[RunOnce], None] = _nothing
    complete: Callable[[RunOnce], None] = _nothing
    stop_signal: signal.Signals = signal.SIGTERM
    start_seconds: float = 60.0
    stop_seconds: float = 15.0


@dataclass(frozen=True, slots=True)
class Step:
    """Something to do once at each start; `run` returns what to tell about it, "" for nothing."""

    name: str
    needs: tuple[str, ...]
    run: Callable[[RunOnce], str]


Part = Service | Step
