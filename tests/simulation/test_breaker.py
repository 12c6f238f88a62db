"""While the storage of a source is away no run is begun for it; then one tries, and its success lets all go on."""

from datetime import timedelta

from router.rules.breaker import OPENS_AT, pause
from router.rules.patience import LONGEST_PAUSE
from tests.simulation.promises import broken_promises
from tests.simulation.world import World


async def attempts_made(world: World) -> int:
    """After a look at what has ended and what is due, and whatever runs that begins."""
    world.clock.pass_time(timedelta(seconds=15))
    for stage in ("settlement", "scheduling"):
        await world.step(stage)
    await world.work()
    return len(world.database.attempts)


async def test_what_is_away_is_tried_by_one_batch_at_a_time() -> None:
    world = World(seed=1)
    for name in "abc":
        world.put(f"s3://landing/orders/{name}.csv", "v-1")  # of two sources, orders and audit
    for stage in ("intake", "discovery"):
        await world.step(stage)
    world.store.away = True

    while not (world.database.breakers and await is_open(world)):
        await attempts_made(world)
    opened = len(world.database.attempts)
    world.clock.pass_time(LONGEST_PAUSE * 2)  # every batch is due, and so is one that tries
    tried = await attempts_made(world)
    while_it_tries = await attempts_made(world)
    world.clock.pass_time(LONGEST_PAUSE * 2)
    world.store.away = False
    answered = await attempts_made(world)
    world.clock.pass_time(timedelta(seconds=15))
    await world.step("settlement")

    assert OPENS_AT <= opened <= OPENS_AT + 1
    assert tried == opened + 1
    assert while_it_tries == tried
    assert answered == tried + 1
    assert world.database.breakers == {}
    await world.heal()
    assert {row.outcome for row in world.database.files.values()} == {"loaded"}
    assert list(broken_promises(world)) == []


async def is_open(world: World) -> bool:
    [row] = world.database.breakers.values()
    return row.failures >= OPENS_AT and pause(row.failures) > timedelta(0)
