"""An explanation: the state, why, what happens next, what a person can do, and the history."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

Standing = Literal["loaded", "waiting", "needs a person"]


@dataclass(frozen=True, slots=True)
class Moment:
    """A line of a history: when it was, and what happened then."""

    at: datetime
    what: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """The answer, in the order in which it is read."""

    what: str
    standing: Standing
    state: str
    why: str
    next: str
    you_can: Sequence[str]
    history: Sequence[Moment]
    held_up: Sequence[str] = ()
    checked: Sequence[str] = ()


Verdict = tuple[Standing, str, str, str, Sequence[str]]


def when_due(due: datetime | None, now: datetime) -> str:
    return "now" if due is None or due <= now else f"in {in_words(due - now)}"


def in_words(span: timedelta) -> str:
    seconds = span.total_seconds()
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
