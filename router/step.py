"""What a step says of itself: the one source of logs and metrics. And how it goes through a queue."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import Protocol, TypeVar

from router.errors import Transient
from router.facts import Fact

T = TypeVar("T")
STEP_SECONDS = 20.0  # liveness waits for two minutes; a call that hangs when this is over takes its own time-out more


@dataclass(frozen=True, slots=True)
class Step:
    """What was done. `more` asks for another step at once, without a pause.

    `goes_on`: what comes next is at hand. It is of one piece with this, so the other stages are not woken in between.

    `trouble`: something the stage depends on did not answer, for which all of it, or what is left of it, has to wait.
    """

    facts: tuple[Fact, ...] = ()
    more: bool = False
    trouble: str | None = None
    goes_on: bool = False


class Pass:
    """A pass over a queue: an item's trouble stays with that item, the others are gone on with, and all that is told.

    It ends early when its time is over, and never before the first item.
    """

    def __init__(self, seconds: float = STEP_SECONDS) -> None:
        self._ends = monotonic() + seconds
        self.facts: list[Fact] = []
        self.troubles: list[str] = []
        self.is_cut_short = False

    def has_time(self) -> bool:
        """Whether there is time to begin another item."""
        self.is_cut_short = self.is_cut_short or monotonic() >= self._ends
        return not self.is_cut_short

    def over(self, items: Iterable[T]) -> Iterator[T]:
        """The items, as many as there is time for."""
        for count, item in enumerate(items):
            if count and not self.has_time():
                return
            yield item

    @contextmanager
    def item(self) -> Iterator[None]:
        """The context in which one item is worked on. A bug is not its trouble: it ends the process."""
        try:
            yield
        except Transient as trouble:
            self.troubles.append(str(trouble))

    def step(self, *, more: bool = False) -> Step:
        """What came of it; one trouble stands for all."""
        return Step(tuple(self.facts), more or self.is_cut_short, self.troubles[0] if self.troubles else None)


class Stage(Protocol):
    """What the driver steps; `name` stands in logs and metrics."""

    name: str

    async def step(self, now: datetime) -> Step:
        """Do one bounded piece of work, at this time by the router's clock."""
