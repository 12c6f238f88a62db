"""The path of one request, step by step: what producers and people ask for, and how they are answered."""

import json
from datetime import timedelta
from typing import Any

from router.rules.identity import object_key
from router.rules.looking import TWICE
from router.rules.sizing import Place
from router.stages.scheduling import RUNS_A_STEP
from router.wiring import Wiring
from schemas.config import Config
from schemas.events.requests import CancelAsked, LoadAsked, PreviewAsked, RetryAsked
from storage.objects import Measured
from tests.builders import NOON, announced, config, intake, load_asked, request
from tests.fakes.clock import FakeClock
from tests.fakes.database import FakeDatabase, RequestFileRow, RequestRow, SourceRow
from tests.fakes.intake import FakeIntake
from tests.fakes.lease import FakeLease
from tests.fakes.runs import FakeRuns
from tests.fakes.scheduling import FakeScheduling
from tests.simulation.promises import answers, broken_promises, completions, one_effective_load
from tests.simulation.world import World

FOLDER = "s3://landing/orders/2026/"
URIS = [f"{FOLDER}{number}.csv" for number in range(7)]
ONLY_AUDIT = "s3://landing/other/a.csv"
AUDIT = load_asked(ONLY_AUDIT, source="audit")
UNTIL_CUT = ("intake", "requests", "discovery", "listing", "scheduling")
A_SWEEP = timedelta(seconds=15)


async def test_a_load_of_more_files_than_a_batch_holds_is_complete_once() -> None:
    world = World(seed=1)
    _lies(world, *URIS)
    world.ask(LoadAsked(source="orders", prefix=FOLDER), "r-1")

    await world.heal()

    [answer] = _answers(world)
    assert (answer["request"], answer["outcome"], answer["reason"]) == ("r-1", "loaded", None)
    assert answer["counts"] == {
        "files": 7,
        "files_loaded": 7,
        "files_already_loaded": 0,
        "files_not_loaded": 0,
        "rows": 7,
    }
    assert sorted(file["uri"] for file in answer["files"]) == URIS
    assert sorted(len(world.database.files_of(batch)) for batch in world.database.batches) == [1, 3, 3]
    assert {row.lane for row in world.database.batches.values()} == {"priority"}
    assert sorted(row.uri for row in world.table.rows) == URIS
    assert _broken(world) == []


async def test_each_batch_tells_how_far_its_request_has_come() -> None:
    world = World(seed=1)
    _lies(world, *URIS)
    world.ask(load_asked(*URIS), "r-1")

    await world.heal()

    told = [event["requests"] for event in _batches(world)]
    assert [[(one["id"], one["state"], one["files_done"], one["files_total"]) for one in part] for part in told] == [
        [("r-1", "open", 3, 7)],
        [("r-1", "open", 6, 7)],
        [("r-1", "complete", 7, 7)],
    ]


async def test_what_a_person_asks_for_overtakes_a_backlog() -> None:
    world = World(seed=1)
    for uri in URIS:
        world.put(uri, "v-1")
    await _until_cut(world)
    await _until_cut(world)
    full = world.config.lanes.default.slots
    before = [row.lane for row in world.database.batches.values()]

    world.ask(load_asked(URIS[6]), "r-1")
    await _until_cut(world)

    assert before == ["default"] * full
    [asked] = [batch for batch, row in world.database.batches.items() if row.lane == "priority"]
    assert [file.uri for _, file in world.database.files_of(asked)] == [URIS[6]]
    await world.heal()
    assert list(broken_promises(world)) == []


async def test_the_same_request_twice_loads_once_and_is_answered_twice() -> None:
    world = World(seed=1)
    _lies(world, ONLY_AUDIT)
    world.ask(AUDIT, "r-1")
    world.ask(AUDIT, "r-1")
    await world.heal()
    before = _answers(world)

    world.ask(AUDIT, "r-1")
    await world.heal()

    assert len(before) == 1
    assert _answers(world) == before * 2
    assert len(world.table.rows) == 1
    assert list(broken_promises(world)) == []


async def test_what_is_loaded_is_skipped_or_reloaded_as_asked() -> None:
    world = World(seed=1)
    _lies(world, ONLY_AUDIT)
    for request_id, if_loaded in (("r-1", "skip"), ("r-2", "skip"), ("r-3", "reload")):
        world.ask(AUDIT.model_copy(update={"if_loaded": if_loaded}), request_id)
        await world.heal()

    counts = {answer["request"]: answer["counts"] for answer in _answers(world)}

    assert [counts[of]["files_loaded"] for of in ("r-1", "r-2", "r-3")] == [1, 0, 1]
    assert [counts[of]["files_already_loaded"] for of in ("r-1", "r-2", "r-3")] == [0, 1, 0]
    assert len(world.table.rows) == 2


async def test_a_preview_shows_a_file_and_loads_nothing() -> None:
    world = World(seed=1)
    _lies(world, ONLY_AUDIT)
    world.ask(PreviewAsked(source="audit", file=ONLY_AUDIT, rows=5), "r-1")

    await world.heal()

    [answer] = _answers(world)
    assert (answer["outcome"], answer["preview"]["rows"]) == ("previewed", [[ONLY_AUDIT]])
    assert world.table.published == []
    assert world.database.files == {}
    assert _batches(world) == []


async def test_a_preview_of_what_cannot_be_read_or_is_not_there_says_so() -> None:
    world = World(seed=1)
    _lies(world, ONLY_AUDIT, version="corrupt-1")
    world.ask(PreviewAsked(source="audit", file=ONLY_AUDIT), "r-1")
    world.ask(PreviewAsked(source="audit", file="s3://landing/other/b.csv"), "r-2")

    await world.heal()

    told = {answer["request"]: (answer["outcome"], answer["reason"]) for answer in _answers(world)}
    assert told == {"r-1": ("failed", "it cannot be read"), "r-2": ("failed", TWICE)}


async def test_what_may_not_be_asked_is_answered_at_once() -> None:
    world = World(seed=1)
    world.ask(load_asked(ONLY_AUDIT), "r-1")

    await world.step("requests")
    await world.step("publication")

    [answer] = _answers(world)
    assert answer["outcome"] == "rejected"
    assert answer["reason"].startswith("no-source")


async def test_a_prefix_with_a_key_that_no_uri_holds_is_answered_and_does_not_wait() -> None:
    world = World(seed=1)
    _lies(world, ONLY_AUDIT)
    _lies(world, ONLY_AUDIT.replace("other/", "other//"))
    world.ask(LoadAsked(source="audit", prefix="s3://landing/other/"), "r-1")

    for stage in ("requests", "listing", "publication"):
        await world.step(stage)

    [answer] = _answers(world)
    assert answer["outcome"] == "rejected"
    assert answer["reason"].startswith("bad-uri: s3://landing/other/ cannot be listed")


async def test_a_cancel_gives_up_what_waits() -> None:
    world = World(seed=1)
    _lies(world, ONLY_AUDIT)
    world.ask(AUDIT, "r-1")
    for stage in ("requests", "listing"):
        await world.step(stage)
    world.ask(CancelAsked(request="r-1"), "r-2")
    for stage in ("requests", "listing"):
        await world.step(stage)

    await world.heal()

    by_id = {answer["request"]: answer for answer in _answers(world)}
    assert (by_id["r-1"]["outcome"], by_id["r-1"]["reason"]) == ("cancelled", "cancelled by request r-2")
    assert by_id["r-1"]["counts"]["files_not_loaded"] == 1
    assert by_id["r-2"]["outcome"] == "done"
    assert world.database.batches == {}
    assert list(broken_promises(world)) == []


async def test_a_cancelled_batch_in_flight_fails_and_is_not_in_the_table() -> None:
    world = World(seed=1)
    _lies(world, ONLY_AUDIT)
    world.ask(AUDIT, "r-1")
    await _until_cut(world)
    [batch] = world.database.batches
    [run_id] = world.runs.runs
    claimed = await world.results.claim(batch, 1, run_id)
    world.runs.becomes(run_id, "running")

    world.ask(CancelAsked(batch=batch), "r-2")
    for stage in ("requests", "listing", "settlement"):
        await world.step(stage)
    phase = world.runs.runs[run_id].state.phase
    await world.heal()

    assert claimed is not None
    assert phase == "cancelled"
    [told] = _batches(world)
    assert (told["outcome"], told["reason"]) == ("failed", "cancelled by request r-2")
    ends = {answer["request"]: (answer["outcome"], answer["counts"]["files_not_loaded"]) for answer in _answers(world)}
    assert ends == {"r-1": ("nothing-loaded", 1), "r-2": ("done", 1)}
    assert world.table.rows == []
    assert list(broken_promises(world)) == []


async def test_a_batch_that_is_published_when_it_is_cancelled_is_loaded() -> None:
    world = World(seed=1)
    _lies(world, ONLY_AUDIT)
    world.ask(AUDIT, "r-1")
    await _until_cut(world)
    [batch] = world.database.batches
    await world.work()

    world.ask(CancelAsked(batch=batch), "r-2")
    await world.heal()

    told = {answer["request"]: (answer["outcome"], answer["counts"]["files_loaded"]) for answer in _answers(world)}
    assert told == {"r-1": ("loaded", 1), "r-2": ("done", 1)}
    assert len(world.table.rows) == 1
    assert list(broken_promises(world)) == []


async def test_a_deadline_ends_a_request_and_gives_up_what_waits() -> None:
    world = World(seed=1)
    _lies(world, ONLY_AUDIT)
    world.database.sources["audit-v1"] = SourceRow(paused=NOON)
    world.ask(AUDIT.model_copy(update={"deadline": NOON + timedelta(seconds=60)}), "r-1")
    await _until_cut(world)
    await world.step("settlement")
    await world.step("publication")
    before = _answers(world)

    world.clock.pass_time(timedelta(seconds=60))
    await world.heal()

    assert before == []
    [answer] = _answers(world)
    assert (answer["outcome"], answer["counts"]["files_not_loaded"]) == ("expired", 1)
    assert [file["outcome"] for file in answer["files"]] == ["failed"]
    world.database.sources.clear()
    await world.heal()
    assert world.table.rows == []
    assert list(broken_promises(world)) == []


async def test_a_deadline_does_not_end_what_an_event_told_of() -> None:
    world = World(seed=1)
    world.put(ONLY_AUDIT, "v-1")
    for stage in ("intake", "discovery"):
        await world.step(stage)
    world.ask(AUDIT.model_copy(update={"deadline": NOON + timedelta(seconds=1)}), "r-1")
    for stage in ("requests", "listing"):
        await world.step(stage)
    world.clock.pass_time(timedelta(seconds=2))

    await world.step("settlement")
    await world.heal()

    [answer] = _answers(world)
    assert (answer["outcome"], [file["outcome"] for file in answer["files"]]) == ("expired", ["waiting"])
    assert len(world.table.rows) == 1
    assert list(broken_promises(world)) == []


async def test_a_retry_loads_what_has_failed() -> None:
    world = World(seed=1)
    world.put(ONLY_AUDIT, "v-1")
    for stage in ("intake", "discovery"):
        await world.step(stage)
    world.ask(CancelAsked(files=(ONLY_AUDIT,)), "r-1")
    for stage in ("requests", "listing"):
        await world.step(stage)
    await world.heal()
    failed = [row.outcome for row in world.database.files.values()]

    world.ask(RetryAsked(files=(ONLY_AUDIT,)), "r-2")
    await world.heal()

    assert failed == ["failed"]
    answer = _answers(world)[-1]
    assert (answer["request"], answer["outcome"], answer["counts"]["files_loaded"]) == ("r-2", "loaded", 1)
    assert [(row.round, row.outcome) for row in world.database.files.values()] == [(2, "loaded")]
    assert list(broken_promises(world)) == []


async def test_a_retry_of_what_is_still_broken_ends_as_before() -> None:
    world = World(seed=1)
    world.put(ONLY_AUDIT, "corrupt-1")
    await world.heal()

    world.ask(RetryAsked(files=(ONLY_AUDIT,)), "r-1")
    await world.heal()

    [answer] = _answers(world)
    assert (answer["outcome"], [file["outcome"] for file in answer["files"]]) == ("nothing-loaded", ["quarantined"])
    assert [(row.round, row.outcome) for row in world.database.files.values()] == [(2, "quarantined")]
    assert list(broken_promises(world)) == []


async def test_a_quarantined_file_whose_content_was_replaced_is_loaded_by_its_event() -> None:
    """It is another version: the old one is what the retry finds nothing to do about."""
    world = World(seed=1)
    world.put(ONLY_AUDIT, "corrupt-1")
    await world.heal()
    world.put(ONLY_AUDIT, "v-2")
    await world.heal()

    world.ask(RetryAsked(files=(ONLY_AUDIT,)), "r-1")
    await world.heal()

    assert {key.version: row.outcome for key, row in world.database.files.items()} == {
        "corrupt-1": "quarantined",
        "v-2": "loaded",
    }
    assert [answer["outcome"] for answer in _answers(world)] == ["nothing-loaded"]
    assert list(broken_promises(world)) == []


async def test_replaced_content_that_no_event_told_of_is_loaded_once_a_load_has_missed_what_was_there() -> None:
    world = World(seed=1)
    world.put(ONLY_AUDIT, "corrupt-1")
    await world.heal()
    _lies(world, ONLY_AUDIT, version="v-2")
    world.ask(RetryAsked(files=(ONLY_AUDIT,)), "r-1")
    await world.heal()

    world.ask(AUDIT, "r-2")
    await world.heal()

    ends = {answer["request"]: [file["outcome"] for file in answer["files"]] for answer in _answers(world)}
    assert ends == {"r-1": ["superseded"], "r-2": ["already-loaded"]}
    assert [row.version for row in world.table.rows] == ["v-2"]
    assert list(broken_promises(world)) == []


async def test_a_paused_source_is_not_cut_until_it_is_resumed() -> None:
    world = World(seed=1)
    world.put(ONLY_AUDIT, "v-1")
    state = world.database.sources["audit-v1"] = SourceRow(paused=NOON)
    world.ask(AUDIT, "r-1")
    for _ in range(3):
        await _until_cut(world)
        world.clock.pass_time(timedelta(hours=1))
    paused = dict(world.database.batches)

    state.paused = None
    await _until_cut(world)
    await world.heal()

    assert paused == {}
    assert [answer["outcome"] for answer in _answers(world)] == ["loaded"]
    assert list(broken_promises(world)) == []


async def test_a_request_whose_webhooks_are_all_lost_is_answered_at_the_next_sweep() -> None:
    world = World(seed=1)
    world.runs.loses_webhooks = True
    _lies(world, ONLY_AUDIT)
    world.ask(AUDIT, "r-1")
    await _until_cut(world)
    await world.step("settlement")
    await world.work()

    for stage in ("settlement", "publication"):
        await world.step(stage)
    before = _answers(world)
    world.clock.pass_time(A_SWEEP)
    for stage in ("settlement", "publication"):
        await world.step(stage)

    assert before == []
    assert [answer["outcome"] for answer in _answers(world)] == ["loaded"]


async def test_a_request_is_answered_when_the_storage_is_there_again() -> None:
    world = World(seed=1)
    _lies(world, *URIS)
    world.store.away = True
    world.ask(load_asked(*URIS), "r-1")
    await _until_cut(world)
    trouble = world.database.requests["r-1"].trouble

    world.store.away = False
    await world.heal()

    assert trouble == "storage: away"
    assert [answer["outcome"] for answer in _answers(world)] == ["loaded"]


async def test_files_that_the_storage_tells_nothing_of_do_not_keep_the_others_waiting() -> None:
    world = World(seed=1)
    _lies(world, *URIS)
    world.store.denied = {URIS[0]}
    world.ask(load_asked(*URIS, "s3://landing/orders/2026/missing.csv"), "r-1")
    for stage in ("requests", "listing", "listing", "listing"):
        await world.step(stage)
        world.clock.pass_time(timedelta(seconds=5))
    waiting = [row.uri for row in world.database.files.values()]
    trouble = world.database.requests["r-1"].trouble

    world.store.denied.clear()
    await world.heal()

    assert sorted(waiting) == URIS[1:]
    assert trouble == f"storage: {URIS[0]}: denied"
    [answer] = _answers(world)
    assert (answer["outcome"], answer["counts"]["files_loaded"]) == ("partly-loaded", 7)
    assert _broken(world) == []


async def test_a_newcomer_goes_next_before_thousands_who_wait() -> None:
    names = [f"flood-{number}" for number in range(5)]
    wide = Wide(_sources([*names, "lonely"], slots=1))
    for name in names:
        await wide.lands(name, files=4000)
    served = [await wide.serve() for _ in range(15)]

    await wide.lands("lonely", files=1)
    next_one = await wide.serve()

    assert [len(batch) for batch in served] == [1] * 15
    assert {source_id for [source_id] in served} == {*names}
    assert next_one == ["lonely"]


async def test_of_thousands_of_sources_with_a_file_each_all_are_cut() -> None:
    names = [f"source-{number}" for number in range(2000)]
    wide = Wide(_sources(names, slots=2000))
    for name in names:
        await wide.lands(name, files=1)

    served = [await wide.serve() for _ in range(2000 // RUNS_A_STEP)]

    assert {len(part) for part in served} == {RUNS_A_STEP}
    assert {source_id for part in served for source_id in part} == {*names}
    assert len(wide.runs.runs) == 2000


async def test_a_step_does_not_keep_the_lease_waiting_for_thousands_of_runs() -> None:
    wide = Wide(_sources([f"source-{number}" for number in range(200)], slots=200))
    for number in range(200):
        await wide.lands(f"source-{number}", files=1)

    created = []
    for _ in range(5):
        before = len(wide.runs.runs)
        await wide.step()
        created.append(len(wide.runs.runs) - before)

    assert created == [RUNS_A_STEP] * 4 + [0]
    assert len(wide.database.batches) == 200
    assert all(row.run_id for row in wide.database.attempts.values())


async def test_previews_of_sources_that_are_gone_do_not_hold_up_others() -> None:
    wide = Wide(_sources(["here"], slots=1))
    for number, source_id in enumerate(("gone", "gone", "gone", "here")):
        wide.is_to_be_previewed(f"r-{number}", source_id)

    await wide.step()

    assert [row.request_id for row in wide.database.batches.values()] == ["r-3"]


async def test_previews_take_no_more_than_the_slots_there_are() -> None:
    wide = Wide(_sources(["here"], slots=1))
    for number in range(5):
        wide.is_to_be_previewed(f"r-{number}", "here")

    await wide.step()

    assert [row.request_id for row in wide.database.batches.values()] == ["r-0", "r-1"]


class Wide:
    """The stage that schedules, with many sources and nothing else."""

    def __init__(self, config: Config) -> None:
        self.clock = FakeClock(NOON)
        self.database = FakeDatabase(self.clock)
        ledger = FakeScheduling(self.database, FakeLease(self.database, "one"))
        self.runs = FakeRuns(self.clock)
        wiring = Wiring(config)
        self._stage = wiring.scheduling(ledger, self.runs, self.clock, wiring.slots(self.runs))
        self._arrivals = FakeIntake(self.database)

    async def lands(self, source_id: str, *, files: int) -> None:
        uris = [f"s3://b/{source_id}/{number}.csv" for number in range(files)]
        place = Place("default", 1, 1024**2)
        landed = [announced(uri, source_id=source_id)._replace(place=place) for uri in uris]
        await self._arrivals.record(intake(landed))

    def is_to_be_previewed(self, request_id: str, source_id: str) -> None:
        uri = f"s3://b/{source_id}/a.csv"
        asked = request(PreviewAsked(source=source_id, file=uri), request_id)
        self.database.requests[request_id] = RequestRow(asked, source_id, NOON, NOON, listed=NOON)
        self.database.request_files[request_id, source_id, object_key(uri)] = RequestFileRow(uri, "v1", 10)

    async def step(self) -> None:
        await self._stage.step(self.clock.now())

    async def serve(self) -> list[str]:
        """The sources of which a batch is cut in one step; all of them end at once."""
        before = set(self.database.batches)
        await self.step()
        self.clock.pass_time(timedelta(seconds=30))
        new = [self.database.batches[batch] for batch in self.database.batches if batch not in before]
        for row in new:
            row.ended, row.outcome = self.clock.now(), "loaded"
        for attempt in self.database.attempts.values():
            attempt.ended = attempt.ended or self.clock.now()
        return [row.manifest.source_id for row in new]


def _sources(names: list[str], *, slots: int) -> Config:
    sources = {
        name: {
            "id": name,
            "from": {"path": f"s3://b/{name}/"},
            "format": "csv",
            "into": {"table": f"l.a.{name.replace('-', '_')}"},
        }
        for name in names
    }
    lanes = {"default": {"workers": 1, "slots_per_worker": slots}}
    return config(json.dumps({"version": 1, "allow": ["s3://b/"], "lanes": lanes, "sources": sources}))


def _lies(world: World, *uris: str, version: str = "v-1") -> None:
    """Objects are in the storage, and no event tells of them."""
    for uri in uris:
        world.store.objects[uri] = Measured(version, 10)


async def _until_cut(world: World) -> None:
    for stage in UNTIL_CUT:
        await world.step(stage)


def _broken(world: World) -> list[str]:
    """The promises about what was asked for: other sources know nothing of files that no event told of."""
    return [*one_effective_load(world), *completions(world), *answers(world)]


def _answers(world: World) -> list[dict[str, Any]]:
    return [data for data in _told(world) if "request" in data]


def _batches(world: World) -> list[dict[str, Any]]:
    return [data for data in _told(world) if "run" in data]


def _told(world: World) -> list[dict[str, Any]]:
    return [json.loads(event.value)["data"] for event in world.publisher.written]
