"""The one loop that drives every stage, and how each of them gets on."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

import structlog

from router.adapters.metrics import Metrics
from router.errors import Transient
from router.facts import count_of, keys_of, name_of
from router.ports.clock import Clock
from router.step import Stage, Step

IDLE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 10.0
STUCK_SECONDS = 120.0

log = structlog.get_logger()


class Progress:
    """When each stage last came to the end of a step, and what troubles it."""

    def __init__(self, names: Sequence[str], metrics: Metrics, clock: Clock) -> None:
        self._last = dict.fromkeys(names, time.monotonic())
        self._trouble: dict[str, str] = dict.fromkeys(names, "has not come to the end of a step yet")
        self._metrics = metrics
        self._clock = clock

    def stepped(self, stage: str, step: Step, seconds: float) -> None:
        """Record a step: trouble is logged when it begins and when it ends, not while it lasts."""
        before, trouble = self._trouble.get(stage), step.trouble or ""
        self._last[stage] = time.monotonic()
        self._trouble[stage] = trouble
        self._metrics.stepped(stage, seconds, self._clock.now(), in_trouble=bool(trouble))
        if trouble and trouble != before:
            log.warning("stage_troubled", stage=stage, trouble=trouble)
        if before and not trouble:
            log.info("stage_ready", stage=stage)
        for fact in step.facts:
            self._metrics.happened(stage, fact)
            log.info(name_of(type(fact)), stage=stage, count=count_of(fact), **keys_of(fact))

    def stuck(self) -> Mapping[str, str]:
        """Stages whose step does not come to an end: a consumer may hang alive."""
        now = time.monotonic()
        ages = {name: now - last for name, last in self._last.items()}
        return {name: f"no progress for {age:.0f} s" for name, age in ages.items() if age > STUCK_SECONDS}

    def not_ready(self) -> Mapping[str, str]:
        """The stages that are in trouble, each with what troubles it."""
        return {name: trouble for name, trouble in self._trouble.items() if trouble}


async def drive(stage: Stage, wakes: Mapping[str, asyncio.Event], clock: Clock, progress: Progress) -> None:
    """Step a stage for ever: again at once while there is more, else when another stage did something, or a second on.

    What one stage did in several steps without a pause is told to the others once: a burst is cut when it is all there.

    Trouble outside pauses the stage, longer each time that nothing was done; a bug ends the process. A cancellation
    counts even when a library has swallowed it, as `asyncio.wait_for` does in Python 3.11 for what is done just then.
    """
    pause, wake = IDLE_SECONDS, wakes[stage.name]
    while not _is_cancelled():
        wake.clear()
        begun = time.monotonic()
        step = await _step(stage, clock)
        progress.stepped(stage.name, step, time.monotonic() - begun)
        if step.facts and not step.goes_on:
            for other in wakes.values():
                other.set()
        if step.facts or step.trouble is None:
            pause = IDLE_SECONDS
        if step.trouble is not None:
            await rest(wake, pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
        elif not step.more:
            with suppress(TimeoutError):
                await asyncio.wait_for(wake.wait(), IDLE_SECONDS)

    raise asyncio.CancelledError


async def _step(stage: Stage, clock: Clock) -> Step:
    try:
        return await stage.step(clock.now())
    except Transient as trouble:
        return Step(trouble=str(trouble))
    except asyncio.CancelledError as error:
        if _is_cancelled():
            raise
        # let out by a library; passed on, it would end this stage without a word while the others go on
        raise RuntimeError(f"{stage.name} was cancelled from within") from error


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def rest(wake: asyncio.Event, seconds: float) -> None:
    """Pause a stage in trouble: a second, and what is left of the pause until another stage does something.

    The trouble may be one item's, and what others did may be for the next.
    """
    await asyncio.sleep(IDLE_SECONDS)
    with suppress(TimeoutError):
        await asyncio.wait_for(wake.wait(), seconds - IDLE_SECONDS)
