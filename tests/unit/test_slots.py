"""The slots of lanes: as configured, or as the workers have room that are there."""

from datetime import timedelta

from router.slots import Slots
from tests.builders import NOON, config
from tests.fakes.clock import FakeClock
from tests.fakes.runs import FakeRuns

CONFIG = config("""
version: 1
allow: ["s3://b/"]
lanes:
  default: {workers: 3, slots_per_worker: 5, follow_workers: true}
  priority: {workers: 2, slots_per_worker: 3}
sources:
  plain: {id: plain-v1, from: {path: "s3://b/plain/"}, format: csv, into: {table: lake.a.plain}}
""")
LATER = NOON + timedelta(seconds=10)


def prefect(*, default: int = 0) -> FakeRuns:
    runs = FakeRuns(FakeClock(NOON))
    runs.online = {"default": default}
    return runs


async def test_a_lane_has_the_slots_of_the_workers_that_are_online() -> None:
    slots = Slots(CONFIG, prefect(default=2))

    assert await slots.count(NOON) == {"default": 10, "high-memory": 2, "priority": 6}


async def test_a_lane_has_never_more_slots_than_are_configured() -> None:
    slots = Slots(CONFIG, prefect(default=9))

    assert (await slots.count(NOON))["default"] == 15


async def test_a_lane_without_workers_has_no_slots_until_one_comes() -> None:
    runs = prefect()
    slots = Slots(CONFIG, runs)
    before = (await slots.count(NOON))["default"]

    runs.online = {"default": 1}

    assert (before, (await slots.count(LATER))["default"]) == (0, 5)


async def test_workers_are_not_counted_at_every_step() -> None:
    runs = prefect(default=1)
    slots = Slots(CONFIG, runs)
    await slots.count(NOON)

    runs.online = {"default": 2}

    assert (await slots.count(NOON + timedelta(seconds=9)))["default"] == 5


async def test_slots_stay_as_they_were_while_prefect_is_away() -> None:
    runs = prefect(default=1)
    slots, unheard = Slots(CONFIG, runs), Slots(CONFIG, runs)
    await slots.count(NOON)

    runs.away = True

    assert (await slots.count(LATER))["default"] == 5
    assert (await unheard.count(LATER))["default"] == 15


async def test_who_has_counted_no_workers_lately_tells_nothing_of_their_lane() -> None:
    slots = Slots(CONFIG, prefect(default=1))
    unasked = slots.known(NOON)

    await slots.count(NOON)

    assert unasked == {"high-memory": 2, "priority": 6}
    assert slots.known(LATER) == {"default": 5, "high-memory": 2, "priority": 6}
    assert slots.known(NOON + timedelta(minutes=2)) == unasked
