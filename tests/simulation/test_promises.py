"""The promises hold however effects interleave, whoever is killed, frozen or away, whatever lands.

A failing seed fails again: the message ends with what is broken, before it stand the effects that led to it.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from schemas.config.lanes import LANES
from tests.simulation.promises import broken_promises, neighbours_are_loaded, watched
from tests.simulation.world import Chances, World

MOVES = 2400
SEEDS = range(60)
ONCE = Chances(landing_again=False, asking=False)
TOLD = Chances(same_content_again=False, untold_versions=False)
WHATEVER = Chances()
HARMLESS = Chances(asking=False, harm=False)


def live(seed: int, chances: Chances, *promises: Callable[[World], Iterator[str]]) -> World:
    """A world's chaos, its healing, one lane the last of all, and what is left of its promises."""

    async def life() -> World:
        world = World(seed, chances, files_a_step=2)
        await world.chaos(MOVES, watched)
        await world.heal(without=LANES[seed % len(LANES)])
        for promise in (broken_promises, *promises):
            world.check(promise(world))
        return world

    return asyncio.run(life())


@pytest.mark.parametrize("seed", SEEDS)
def test_the_promises_hold_when_every_object_lands_once(seed: int) -> None:
    live(seed, ONCE)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_promises_hold_when_objects_are_overwritten_and_removed(seed: int) -> None:
    live(seed, TOLD)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_promises_hold_whatever_lands(seed: int) -> None:
    live(seed, WHATEVER)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_file_that_kills_its_runs_fails_alone(seed: int) -> None:
    live(seed, HARMLESS, neighbours_are_loaded)


def test_the_chaos_comes_to_the_races_it_is_for() -> None:
    """Promises hold easily in a world where nothing happens: this one fails when the chaos has become too tame."""
    seen: Counter[str] = Counter()

    for seed in SEEDS:
        world = live(seed, ONCE)
        attempts = world.database.attempts
        seen["publications refused"] += world.table.refused
        seen["later attempts"] += sum(n > 1 for _, n in attempts)
        seen["void attempts"] += sum(row.outcome == "void" for row in attempts.values())
        seen["split batches"] += sum(row.outcome == "split" for row in world.database.batches.values())
        seen["closed batches"] += sum(snapshot.tombstone for snapshot in world.table.published)

    scarce = {what: times for what, times in seen.items() if times < 4}
    assert scarce == {}, seen
