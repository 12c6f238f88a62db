"""What a step says of itself: the one source of logs and metrics."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

Keys = Mapping[str, str | int | float | None]


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that happened: an event in the log, named in the past tense, and a count in the metrics."""

    name: str
    keys: Keys = field(default_factory=dict)
    count: int = 1


@dataclass(frozen=True, slots=True)
class Step:
    """What was done. `more` asks for another step at once, without a pause."""

    facts: tuple[Fact, ...] = ()
    more: bool = False


def lease_taken(role: str, before: int | None, epoch: int) -> tuple[Fact, ...]:
    """Of a stage that holds a lease under another epoch than before."""
    return () if epoch == before else (Fact("lease_taken", {"role": role, "epoch": epoch}),)


def request_ended(request: str, kind: str, outcome: str, reason: str | None) -> Fact:
    """Of a request that is answered, whichever stage found that it is to be."""
    return Fact("request_ended", {"request": request, "kind": kind, "outcome": outcome, "reason": reason})


class Stage(Protocol):
    """One of the five."""

    name: str

    async def step(self, now: datetime) -> Step:
        """One bounded piece of work."""
