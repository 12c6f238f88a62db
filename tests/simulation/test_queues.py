"""An item's trouble stays with that item: in every queue the others go on."""

import json
from datetime import timedelta
from typing import Any

import pytest

from router.facts import AttemptSubmitted, RunNotCancelled, SubmissionFailed
from router.rules.looking import SECOND_LOOK
from router.rules.scheduling import AGEING
from router.step import Stage
from schemas.config import Config
from schemas.config.topics import ARRIVALS_TOPIC
from schemas.events.requests import PreviewAsked
from storage.objects import Measured
from tests.builders import CONFIG_TEXT, config, file_event, load_asked
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
    world.clock.pass_time(SECOND_LOOK)
    await world.step("listing")

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
    assert sum(isinstance(fact, RunNotCancelled) for fact in step.facts) == 2
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
    assert [type(fact) for fact in step.facts] == [SubmissionFailed, SubmissionFailed]
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


async def test_who_was_served_before_all_were_idle_has_not_waited_since() -> None:
    world = World(seed=1)
    await _submitted(world, AUDIT)
    await world.work(*world.runs.runs)
    await world.step("settlement")
    world.clock.pass_time(2 * AGEING)
    await world.step("scheduling")
    before = len(world.runs.runs)

    for uri in (AUDIT, ORDERS):
        world.put(uri, "v-2")
    for router in (0, 1):
        await world.step("intake", router)
    for stage in ("discovery", "scheduling"):
        await world.step(stage)

    served = [run.submission.source_id for run in world.runs.runs.values()][before:]
    assert served == ["orders-v1", "audit-v1"]


async def test_a_slow_prefect_ends_a_step_with_what_was_done(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(seed=1)
    for uri in URIS[:3]:
        world.put(uri, "v-1")
    for stage in ("intake", "discovery"):
        await world.step(stage)
    seconds = iter(range(0, 1000, 6))
    monkeypatch.setattr("router.step.monotonic", lambda: next(seconds))

    step = await _stage(world, "scheduling").step(world.clock.now())

    assert sum(isinstance(fact, AttemptSubmitted) for fact in step.facts) == 1
    assert step.more


async def test_requests_for_removed_sources_are_answered_and_starve_nobody() -> None:
    world = World(seed=1)
    gone, here = "s3://landing/other/gone.csv", ORDERS
    for uri in (gone, here):
        world.store.objects[uri] = Measured("v-1", 10)
    world.ask(load_asked(gone, source="audit"), "r-load")
    for number in range(60):
        world.ask(PreviewAsked(source="audit", file=gone), f"r-{number}")
    world.ask(PreviewAsked(source="orders", file=here), "r-here")
    for _ in range(80):
        for stage in ("requests", "listing"):
            await world.step(stage)
    world.reconfigure(without("audit"))

    for _ in range(3):
        for stage in ("scheduling", "settlement"):
            await world.step(stage)
    early = _told(world)
    previewed = {row.request_id for row in world.database.batches.values()}
    world.clock.pass_time(timedelta(minutes=11))
    for _ in range(8):
        for stage in ("settlement", "publication"):
            await world.step(stage)

    told = _told(world)
    assert (early, previewed) == ({}, {"r-here"})
    assert len(told) == 61
    assert told["r-load"] == ("cancelled", "unknown-source: audit-v1 is not in the configuration any more")
    assert told["r-0"] == ("failed", "unknown-source: audit-v1 is not in the configuration any more")


async def test_a_source_that_only_some_routers_know_yet_is_not_removed() -> None:
    world = World(seed=1)
    world.store.objects[AUDIT] = Measured("v-1", 10)
    world.ask(load_asked(AUDIT, source="audit"), "r-1")
    await world.step("requests")
    whole = world.config
    world.reconfigure(without("audit"))

    for stage in ("listing", "scheduling", "settlement"):
        await world.step(stage)
    trouble = world.database.requests["r-1"].trouble
    world.clock.pass_time(timedelta(minutes=5))
    world.reconfigure(whole)
    await world.heal()

    assert trouble == "audit-v1 is not in the configuration of the router that looked"
    assert _told(world) == {"r-1": ("loaded", None)}


async def test_a_request_whose_first_thousand_files_are_refused_gets_to_the_rest() -> None:
    world = World(seed=1)
    folder = "s3://landing/other/"
    uris = [f"{folder}{number:04}.csv" for number in range(1003)]
    for uri in uris:
        world.store.objects[uri] = Measured("v-1", 10)
    world.store.denied = {*uris[:1000]}
    world.ask(load_asked(*uris, source="audit"), "r-1")
    for stage in ("requests", "listing", "listing"):
        await world.step(stage)
    waiting = sorted(row.uri for row in world.database.files.values())

    world.store.denied.clear()
    await world.heal()

    assert waiting == uris[1000:]
    assert _told(world) == {"r-1": ("loaded", None)}


async def test_a_request_that_cannot_be_looked_at_keeps_no_other_waiting() -> None:
    world = World(seed=1)
    for number in range(3):
        world.ask(load_asked("s3://landing/other/nowhere.csv", source="audit"), f"r-{number}")
    for _ in range(2):
        for stage in ("requests", "listing") * 3:
            await world.step(stage)
        world.clock.pass_time(SECOND_LOOK)
    world.database.poison = {"r-0"}

    step = await _stage(world, "settlement").step(world.clock.now())
    await world.step("publication")
    told = set(_told(world))
    world.database.poison.clear()
    await world.heal()

    assert step.trouble == "PostgreSQL: r-0 takes too long"
    assert told == {"r-1", "r-2"}
    assert len(_told(world)) == 3


async def test_a_named_file_that_its_source_takes_no_more_is_not_asked_for() -> None:
    world = World(seed=1)
    world.ask(load_asked(AUDIT, source="audit"), "r-1")
    await world.step("requests")
    world.store.denied.add(AUDIT)
    world.reconfigure(
        config(CONFIG_TEXT.replace('path: "s3://landing/", match', 'path: "s3://landing/orders/", match'))
    )

    await world.heal()

    [(outcome, reason)] = _told(world).values()
    assert outcome == "nothing-loaded"
    assert "not-configured-any-more" in (reason or "")


async def test_a_burst_is_cut_when_it_has_all_been_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("router.stages.discovery.LOOKS_A_STEP", 2)
    world = World(seed=1)
    for name in "abc":
        uri = f"s3://landing/other/{name}.csv"
        world.store.objects[uri] = Measured("v-1", 10)
        world.broker.append((ARRIVALS_TOPIC, 0), file_event(uri, etag=None, size=None), world.clock.now())
        await world.step("intake")

    discovery = _stage(world, "discovery")
    steps = [await discovery.step(world.clock.now()) for _ in range(2)]

    assert [(len(step.facts), step.goes_on) for step in steps] == [(1, True), (1, False)]


async def _submitted(world: World, uri: str) -> None:
    world.put(uri, "v-1")
    for stage in UNTIL_SUBMITTED:
        await world.step(stage)


def _stage(world: World, name: str) -> Stage:
    return world.routers[0].stages[name]


def without(name: str) -> Config:
    """The configuration without a source."""
    whole = config()
    return whole.model_copy(update={"sources": {of: source for of, source in whole.sources.items() if of != name}})


def _told(world: World) -> dict[str, tuple[str, str | None]]:
    return {answer["request"]: (answer["outcome"], answer["reason"]) for answer in _answers(world)}


def _answers(world: World) -> list[dict[str, Any]]:
    return [data for event in world.publisher.written if "request" in (data := json.loads(event.value)["data"])]
