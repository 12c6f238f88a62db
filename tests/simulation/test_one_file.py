"""The path of one file, step by step, and what little may go wrong on it without anybody noticing."""

import json
from datetime import timedelta

import pytest

from router.errors import Transient
from schemas.config.topics import ARRIVALS_TOPIC
from storage.objects import Measured
from tests.builders import CONFIG_TEXT, NOON, config, file_event
from tests.simulation.promises import broken_promises
from tests.simulation.world import URIS, World

ONLY_AUDIT = URIS[3]
STAGES = ("intake", "discovery", "scheduling", "settlement", "publication")


async def test_a_file_passes_the_stages_in_their_order() -> None:
    world = World(seed=1)
    world.put(ONLY_AUDIT, "v-1")

    await world.step("intake")
    await world.step("discovery")
    waiting = _outcomes(world)
    await world.step("scheduling")
    [run_id] = world.runs.runs
    await world.work()
    await world.step("settlement")
    await world.step("publication")

    assert waiting == {"v-1": None}
    assert world.runs.runs[run_id].submission.key == "autoloader/b-0001/1"
    assert [(row.table, row.uri, row.version) for row in world.table.rows] == [("lake.sales.audit", ONLY_AUDIT, "v-1")]
    assert _outcomes(world) == {"v-1": "loaded"}
    assert _ids(world) == ["b-0001/1/loaded"]
    assert list(broken_promises(world)) == []


async def test_while_a_batch_is_in_flight_arrivals_gather_for_the_next() -> None:
    world = World(seed=1)
    for name in "abc":
        world.put(f"s3://landing/other/{name}.csv", "v-1")
        for stage in ("intake", "discovery", "scheduling"):
            await world.step(stage)

    await world.heal()

    assert sorted(len(world.database.files_of(batch)) for batch in world.database.batches) == [1, 2]


async def test_a_lost_webhook_delays_a_completion_by_one_sweep_at_most() -> None:
    world = World(seed=1)
    await _submitted(world)
    await world.step("settlement")
    await world.work()

    await world.step("settlement")
    before = _outcomes(world)
    world.clock.pass_time(timedelta(seconds=15))
    await world.step("settlement")

    assert before == {"v-1": None}
    assert _outcomes(world) == {"v-1": "loaded"}


async def test_a_webhook_settles_at_once() -> None:
    world = World(seed=1)
    await _submitted(world)
    await world.step("settlement")
    world.runs.webhooks.append(world.routers[0].settlement.hint)

    await world.work()
    await world.step("settlement")

    assert _outcomes(world) == {"v-1": "loaded"}


async def test_a_forged_webhook_changes_nothing() -> None:
    world = World(seed=1)
    await _submitted(world)
    await world.step("settlement")

    world.routers[0].settlement.hint("00000000-0000-0000-0000-000000000000")
    for run_id in world.runs.runs:
        world.routers[0].settlement.hint(run_id)
    await world.step("settlement")

    assert _outcomes(world) == {"v-1": None}
    assert [row.ended for row in world.database.attempts.values()] == [None]


async def test_a_run_whose_creation_was_not_answered_is_created_once() -> None:
    world = World(seed=1)
    world.put(ONLY_AUDIT, "v-1")
    await world.step("intake")
    await world.step("discovery")
    world.runs.loses_answers = True
    await world.step("scheduling")

    world.runs.loses_answers = False
    await world.heal()

    assert len(world.runs.runs) == 1
    assert _outcomes(world) == {"v-1": "loaded"}


async def test_an_event_whose_acknowledgement_was_lost_is_repeated_under_its_id() -> None:
    world = World(seed=1)
    await _submitted(world)
    await world.work()
    await world.step("settlement")
    world.publisher.loses_acknowledgements = True
    await world.step("publication")

    world.publisher.loses_acknowledgements = False
    world.clock.pass_time(timedelta(seconds=1))
    await world.step("publication")

    assert _ids(world) == ["b-0001/1/loaded", "b-0001/1/loaded"]
    assert world.database.outbox == {}


async def test_what_no_worker_begins_in_time_is_given_to_another_run() -> None:
    world = World(seed=1)
    await _submitted(world)
    [stuck] = world.runs.runs
    world.runs.becomes(stuck, "pending")

    world.clock.pass_time(timedelta(minutes=15))
    await world.step("settlement")
    await world.heal()

    assert world.runs.runs[stuck].state.phase == "cancelled"
    assert [(n, row.outcome) for (_, n), row in world.database.attempts.items()] == [(1, "void"), (2, "loaded")]


async def test_a_batch_ends_when_the_run_that_claimed_it_is_dead_and_the_submitted_one_is_stuck() -> None:
    world = World(seed=1)
    await _submitted(world)
    [stuck] = world.runs.runs
    world.runs.becomes(stuck, "pending")
    world.runs.copy(stuck)
    [copy] = world.runs.in_phase("scheduled")
    assert await world.results.claim("b-0001", 1, copy) is not None
    world.runs.becomes(copy, "crashed", "the process ended")

    await world.heal()

    assert _outcomes(world) == {"v-1": "loaded"}


async def test_a_batch_that_can_not_be_loaded_is_closed_and_told_of() -> None:
    world = World(seed=1)
    await _submitted(world, "poison-1")

    await world.heal()

    assert _outcomes(world) == {"poison-1": "failed"}
    assert [row.kind for row in world.database.attempts.values()] == ["load", "close"]
    assert world.table.rows == []
    assert _ids(world) == ["b-0001/2/failed"]


async def test_what_the_ledger_did_not_take_is_polled_again() -> None:
    world = World(seed=1)
    world.put(ONLY_AUDIT, "v-1")
    world.database.away = True
    with pytest.raises(Transient):
        await world.step("intake")
    world.put("s3://landing/other/e.csv", "v-2")

    world.database.away = False
    await world.heal()

    assert _outcomes(world) == {"v-1": "loaded", "v-2": "loaded"}


async def test_healthy_routers_share_the_work_without_doing_it_twice() -> None:
    world = World(seed=1)
    for uri in URIS:
        world.put(uri)
    for stage in STAGES:
        await world.step(stage, router=0)
        await world.step(stage, router=1)

    await world.heal()

    assert list(broken_promises(world)) == []
    assert len(world.database.batches) == len(set(_ids(world))) == len(_ids(world))


@pytest.mark.parametrize("is_measured", [False, True])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('path: "s3://landing/", match: "**/*.csv"', 'path: "s3://landing/elsewhere/", match: "**/*.csv"'),
        ('path: "s3://landing/", match: "**/*.csv"', 'path: "s3://landing/", match: "**/*.json"'),
        ('allow: ["s3://landing/"]', 'allow: ["s3://landing/orders/"]'),
    ],
)
async def test_what_its_source_takes_no_more_is_neither_asked_for_nor_loaded(
    before: str, after: str, *, is_measured: bool
) -> None:
    world = World(seed=1)
    world.store.objects[ONLY_AUDIT] = Measured("v-1", 10)
    size = 10 if is_measured else None
    world.broker.append((ARRIVALS_TOPIC, 0), file_event(ONLY_AUDIT, etag="v-1", size=size), world.clock.now())
    await world.step("intake")

    world.store.denied.add(ONLY_AUDIT)
    changed = CONFIG_TEXT.replace(before, after)
    if "allow" in before:
        changed = changed.replace('path: "s3://landing/", match', 'path: "s3://landing/orders/", match')
    world.reconfigure(config(changed))
    await world.heal()

    [row] = world.database.files.values()
    assert row.outcome == "failed"
    assert row.reason is not None
    assert row.reason.startswith("not-configured-any-more: ")
    assert world.table.rows == []


async def test_the_files_of_a_source_that_is_gone_wait_until_it_is_back() -> None:
    world = World(seed=1)
    for number, size in enumerate((10, None)):
        uri = f"s3://landing/other/{number}.csv"
        world.store.objects[uri] = Measured("v-1", 10)
        world.broker.append((ARRIVALS_TOPIC, 0), file_event(uri, etag="v-1", size=size), world.clock.now())
    await world.step("intake")

    world.reconfigure(config(CONFIG_TEXT[: CONFIG_TEXT.index("  audit:")]))
    for stage in STAGES:
        await world.step(stage)
    gone = dict(world.database.files), dict(world.database.arrivals)
    world.reconfigure(config())
    await world.heal()

    assert [row.outcome for row in gone[0].values()] == [None] or len(gone[1]) == 1
    assert _all_outcomes(world) == ["loaded", "loaded"]


async def test_a_file_whose_event_told_another_mark_than_the_storage_is_loaded_once() -> None:
    world = World(seed=1)
    world.store.objects[ONLY_AUDIT] = Measured("v-1", 10)
    world.broker.append((ARRIVALS_TOPIC, 0), file_event(ONLY_AUDIT, etag="time-d7x7"), world.clock.now())

    await world.heal()

    assert _outcomes(world) == {"time-d7x7": "superseded", "v-1": "loaded"}
    assert len(world.table.rows) == 1
    assert len(world.database.batches) == 2


async def test_a_removal_that_says_to_be_later_does_not_end_what_is_there() -> None:
    world = World(seed=1)
    world.store.objects[ONLY_AUDIT] = Measured("v-1", 10)
    for value in (
        file_event(ONLY_AUDIT, etag="v-1", at=NOON),
        file_event(ONLY_AUDIT, removed=True, at=NOON),
        file_event(ONLY_AUDIT, removed=True, at=NOON + timedelta(hours=1)),
    ):
        world.broker.append((ARRIVALS_TOPIC, 0), value, world.clock.now())

    await world.heal()

    assert _outcomes(world) == {"v-1": "loaded"}


async def _submitted(world: World, version: str = "v-1") -> None:
    world.put(ONLY_AUDIT, version)
    for stage in ("intake", "discovery", "scheduling"):
        await world.step(stage)


def _outcomes(world: World) -> dict[str, str | None]:
    return {key.version: row.outcome for key, row in world.database.files.items()}


def _all_outcomes(world: World) -> list[str | None]:
    return [row.outcome for row in world.database.files.values()]


def _ids(world: World) -> list[str]:
    return [json.loads(event.value)["id"] for event in world.publisher.written]
