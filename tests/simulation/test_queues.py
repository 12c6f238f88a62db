"""An item's trouble stays with that item: in every queue the others go on."""

import json
from datetime import timedelta
from typing import Any

import pytest

from router.ports import Measured
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


async def test_a_lane_without_a_deployment_stops_no_other() -> None:
    world = World(seed=1)
    world.runs.refuses = {"default"}
    world.put(ORDERS, "v-1")
    for stage in UNTIL_SUBMITTED:
        await world.step(stage)
    world.ask(load_asked(AUDIT, source="audit"), "r-1")
    world.store.objects[AUDIT] = Measured("v-1", 10)

    for stage in ("requests", "listing", "scheduling"):
        await world.step(stage)

    [run] = world.runs.runs.values()
    assert run.submission.lane == "priority"
    assert {row.trouble for row in world.database.attempts.values() if row.lane == "default"} == {
        "Prefect knows nothing of default"
    }
    world.clock.pass_time(timedelta(seconds=1))
    step = await _stage(world, "scheduling").step(world.clock.now())
    assert [fact.name for fact in step.facts] == ["submission_failed", "submission_failed"]
    assert step.trouble is None
    await world.heal()
    assert list(broken_promises(world)) == []


async def test_a_router_that_prefect_does_not_answer_gives_the_lease_to_another() -> None:
    world = World(seed=1)
    world.put(AUDIT, "v-1")
    for stage in ("intake", "discovery"):
        await world.step(stage)
    world.runs.away = True

    step = await _stage(world, "scheduling").step(world.clock.now())
    world.runs.away = False
    world.clock.pass_time(timedelta(seconds=1))
    await world.step("scheduling", router=1)

    assert step.trouble == "Prefect: away"
    assert world.database.leases["scheduling"].holder == "two/1"
    assert len(world.runs.runs) == 1


async def test_a_slow_prefect_ends_a_step_with_what_was_done(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(seed=1)
    for uri in URIS[:3]:
        world.put(uri, "v-1")
    for stage in ("intake", "discovery"):
        await world.step(stage)
    seconds = iter(range(0, 1000, 6))
    monkeypatch.setattr("router.step.monotonic", lambda: next(seconds))

    step = await _stage(world, "scheduling").step(world.clock.now())

    assert sum(fact.name == "attempt_submitted" for fact in step.facts) == 1
    assert step.more


async def _submitted(world: World, uri: str) -> None:
    world.put(uri, "v-1")
    for stage in UNTIL_SUBMITTED:
        await world.step(stage)


def _stage(world: World, name: str) -> Stage:
    return world.routers[0].stages[name]


def _answers(world: World) -> list[dict[str, Any]]:
    return [data for event in world.publisher.written if "request" in (data := json.loads(event.value)["data"])]
