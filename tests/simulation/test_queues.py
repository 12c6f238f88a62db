"""An item's trouble stays with that item: in every queue the others go on."""

import json
from datetime import timedelta
from typing import Any

from router.step import Stage
from tests.builders import load_asked
from tests.simulation.promises import broken_promises
from tests.simulation.world import URIS, World

ORDERS, AUDIT = URIS[0], URIS[3]  # the first is a file of two sources
A_SWEEP = timedelta(seconds=15)
UNTIL_SUBMITTED = ("intake", "discovery", "scheduling")


async def test_requests_are_answered_while_prefect_is_away() -> None:
    world = World(seed=1)
    await _submitted(world, AUDIT)
    world.runs.away = True
    world.ask(load_asked("s3://landing/other/nowhere.csv", source="audit"), "r-1")
    for stage in ("requests", "listing"):
        await world.step(stage)

    step = await _stage(world, "settlement").step(world.clock.now())
    await world.step("publication")

    assert [answer["outcome"] for answer in _answers(world)] == ["nothing-loaded"]
    assert step.trouble == "Prefect: away"


async def test_a_crash_is_found_while_others_report_in_every_step() -> None:
    world = World(seed=1)
    await _submitted(world, ORDERS)
    crashed, reports = world.runs.runs
    world.runs.becomes(crashed, "crashed", "the process ended")
    await world.work(reports)

    await world.step("settlement")

    [failed] = [row for row in world.database.attempts.values() if row.run_id == crashed]
    [loaded] = [row for row in world.database.attempts.values() if row.run_id == reports]
    assert (failed.outcome, loaded.outcome) == ("failed", "loaded")


async def test_a_run_that_cannot_be_cancelled_keeps_nobody_waiting() -> None:
    world = World(seed=1)
    await _submitted(world, ORDERS)
    for run_id in world.runs.runs:
        world.runs.becomes(run_id, "pending")
    world.runs.refuses_to_cancel = set(world.runs.runs)
    world.clock.pass_time(timedelta(minutes=15))

    step = await _stage(world, "settlement").step(world.clock.now())

    assert [row.outcome for row in world.database.attempts.values()] == ["void", "void"]
    assert sum(fact.name == "run_not_cancelled" for fact in step.facts) == 2
    await world.heal()
    assert list(broken_promises(world)) == []


async def _submitted(world: World, uri: str) -> None:
    world.put(uri, "v-1")
    for stage in UNTIL_SUBMITTED:
        await world.step(stage)


def _stage(world: World, name: str) -> Stage:
    return world.routers[0].stages[name]


def _answers(world: World) -> list[dict[str, Any]]:
    return [data for event in world.publisher.written if "request" in (data := json.loads(event.value)["data"])]
