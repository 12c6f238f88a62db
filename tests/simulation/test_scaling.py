"""Lanes whose workers come and go, and lanes that stand in a queue for their quota: what is submitted, what is void."""

from datetime import timedelta

from router.facts import AttemptFailed, AttemptSubmitted, Fact
from router.rules.sizing import Place
from router.slots import COUNTED_EVERY
from router.stages.settlement import SWEEP_EVERY
from router.wiring import Wiring
from schemas.config.lanes import Lane
from tests.builders import NOON, announced, config, intake
from tests.fakes.clock import FakeClock
from tests.fakes.database import FakeDatabase
from tests.fakes.intake import FakeIntake
from tests.fakes.lease import FakeLease
from tests.fakes.requests import FakeRequests
from tests.fakes.runs import FakeRuns
from tests.fakes.scheduling import FakeScheduling
from tests.fakes.settlement import FakeSettlement

CONFIG = config("""
version: 1
allow: ["s3://b/"]
start_deadline: 15m
lanes:
  default: {workers: 2, slots_per_worker: 1, follow_workers: true}
  high-memory:
    workers: 1
    slots_per_worker: 1
    pool: {type: kubernetes, image: "a:1", kueue: {queue: loads}}
sources:
  small: {id: small-v1, from: {path: "s3://b/small/"}, format: csv, into: {table: lake.a.small}}
  big: {id: big-v1, from: {path: "s3://b/big/"}, format: csv, into: {table: lake.a.big}, lane: {pin: high-memory}}
  huge: {id: huge-v1, from: {path: "s3://b/huge/"}, format: csv, into: {table: lake.a.huge}, lane: {pin: high-memory}}
""")
WEEK = timedelta(days=7)


class Router:
    """The stages that schedule and settle, and what Prefect says to them."""

    def __init__(self) -> None:
        self.clock = FakeClock(NOON)
        self.database = FakeDatabase(self.clock)
        self.runs = FakeRuns(self.clock)
        wiring = Wiring(CONFIG)
        ledger = FakeScheduling(self.database, FakeLease(self.database, "one"))
        self._scheduling = wiring.scheduling(ledger, self.runs, self.clock, wiring.slots(self.runs))
        self._settlement = wiring.settlement(FakeSettlement(self.database), FakeRequests(self.database), self.runs)
        self._arrivals = FakeIntake(self.database)

    async def lands(self, source: str, lane: Lane) -> None:
        uri = f"s3://b/{source}/a.csv"
        file = announced(uri, source_id=f"{source}-v1")._replace(place=Place(lane, 1, 10))
        await self._arrivals.record(intake([file]))

    async def goes_on(self, after: timedelta = SWEEP_EVERY) -> list[Fact]:
        """What a sweep and then scheduling do, some time later."""
        self.clock.pass_time(max(after, COUNTED_EVERY))
        settled = await self._settlement.step(self.clock.now())
        scheduled = await self._scheduling.step(self.clock.now())
        return [*settled.facts, *scheduled.facts]

    async def submits(self) -> list[str]:
        """The sources of which runs are submitted then."""
        return sorted(fact.source for fact in await self.goes_on() if isinstance(fact, AttemptSubmitted))

    def held_up(self) -> object:
        return self._settlement.held_up()

    def run_of(self, source: str) -> str:
        """The last that was submitted of it."""
        return [run_id for run_id, run in self.runs.runs.items() if run.submission.source_id == f"{source}-v1"][-1]


async def test_a_lane_without_workers_submits_nothing_until_one_is_there() -> None:
    router = Router()
    await router.lands("small", "default")
    without = [await router.submits() for _ in range(3)]

    router.runs.online = {"default": 1}

    assert without == [[], [], []]
    assert await router.submits() == ["small-v1"]


async def test_a_lane_that_lost_its_workers_leaves_others_alone() -> None:
    router = Router()
    await router.lands("small", "default")
    await router.lands("big", "high-memory")

    assert await router.submits() == ["big-v1"]


async def test_what_waits_for_its_quota_is_never_void_and_lets_others_stand_in_line() -> None:
    router = Router()
    await router.lands("big", "high-memory")
    await router.goes_on()
    await router.lands("huge", "high-memory")
    at_first = await router.submits()

    router.runs.becomes(router.run_of("big"), "pending")
    then = await router.submits()
    much_later = await router.goes_on(WEEK)

    assert (at_first, then) == ([], ["huge-v1"])
    assert router.held_up() == {("high-memory", "Quota"): 1}
    assert not [fact for fact in much_later if isinstance(fact, AttemptFailed) and fact.batch == _batch(router, "big")]


async def test_what_was_admitted_takes_a_slot_again_and_begins_within_its_deadline() -> None:
    router = Router()
    await router.lands("big", "high-memory")
    await router.goes_on()
    router.runs.becomes(router.run_of("big"), "pending")
    await router.goes_on(WEEK)
    await router.lands("huge", "high-memory")

    router.runs.becomes(router.run_of("big"), "pending", is_placed=True)
    admitted = await router.submits()
    late = await router.goes_on(timedelta(minutes=15))

    assert admitted == []
    assert [fact.next for fact in late if isinstance(fact, AttemptFailed)] == ["void"]


def _batch(router: Router, source: str) -> str:
    return router.runs.runs[router.run_of(source)].submission.batch
