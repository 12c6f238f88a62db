"""The promises hold however effects interleave, whoever is killed, frozen or away, whatever lands.

A failing seed fails again: the message ends with what is broken, before it stand the effects that led to it.
"""

import asyncio

import pytest

from tests.simulation.promises import broken_promises, watched
from tests.simulation.world import Chances, World

MOVES = 600
ONCE = Chances(landing_again=False)
TOLD = Chances(same_content_again=False, untold_versions=False)


def live(seed: int, chances: Chances) -> None:
    """A world's chaos, its healing, and what is left of its promises."""

    async def life() -> None:
        world = World(seed, chances)
        await world.chaos(MOVES, watched)
        await world.heal()
        world.check(broken_promises(world))

    asyncio.run(life())


@pytest.mark.parametrize("seed", range(150))
def test_the_promises_hold_when_every_object_lands_once(seed: int) -> None:
    live(seed, ONCE)


@pytest.mark.parametrize("seed", range(150))
def test_the_promises_hold_when_objects_are_overwritten_and_removed(seed: int) -> None:
    live(seed, TOLD)


def test_the_promises_hold_whatever_lands() -> None:
    for seed in range(100):
        live(seed, Chances())
