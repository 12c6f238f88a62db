"""Records that cost much more than their bytes: they are taken in by portions, quoted once, and block nobody."""

import asyncio
import json
from collections.abc import Sequence

import orjson
import pytest

from router.errors import Transient
from router.ports.intake import Intake, Recorded
from router.ports.requests import AskedRequest
from router.rules.outgoing import OutgoingEvent
from router.rules.portion import ENTRY_BYTES, PORTION_BYTES, TURN_BYTES, Portion
from router.stages.intake import MAX_LETTERS_A_RECORD, IntakeStage
from router.stages.requests import RequestsStage
from router.step import Step
from router.wiring import Wiring
from schemas.config.topics import ARRIVALS_TOPIC, REQUESTS_TOPIC
from tests.builders import NOON, config, file_event, load_asked, request_event
from tests.fakes.clock import FakeClock
from tests.fakes.database import FakeDatabase
from tests.fakes.intake import FakeIntake
from tests.fakes.requests import FakeRequests
from tests.fakes.source import FakeBroker, FakeSource

MANY_ENTRIES = b'{"Records":[' + b"0," * 9_999 + b"0]}"
LONG_VALUE = orjson.dumps({"Records": [{"eventVersion": "3.0", "filling": "x" * 5000}] * 120})


class CountingArrivals(FakeIntake):
    """Tells how big each transaction was, and refuses one that is too big, as a time-out does."""

    def __init__(self, database: FakeDatabase, most: int = 10**9) -> None:
        super().__init__(database)
        self.most = most
        self.transactions: list[int] = []

    async def record(self, intake: Intake) -> Recorded:
        rows = len(intake.files) + len(intake.unmeasured) + len(intake.letters)
        if rows > self.most:
            raise Transient("PostgreSQL: TimeoutError: too many rows")
        self.transactions.append(rows)
        return await super().record(intake)


class CountingRequests(FakeRequests):
    """The same of requests."""

    def __init__(self, database: FakeDatabase, most: int = 10**9) -> None:
        super().__init__(database)
        self.most = most
        self.transactions: list[int] = []

    async def record_requests(self, requests: Sequence[AskedRequest], letters: Sequence[OutgoingEvent]) -> int:
        if len(requests) > self.most:
            raise Transient("PostgreSQL: TimeoutError: too many rows")
        self.transactions.append(len(requests))
        return await super().record_requests(requests, letters)


class Scene:
    """Both consumers, each with one partition."""

    def __init__(self, *, most: int = 10**9) -> None:
        self.arrived, self.asked = FakeBroker([(ARRIVALS_TOPIC, 0)]), FakeBroker([(REQUESTS_TOPIC, 0)])
        self.database = FakeDatabase(FakeClock(NOON))
        self.arrivals = CountingArrivals(self.database, most)
        self.requests = CountingRequests(self.database, most)
        wiring = Wiring(config())
        self.intake = wiring.intake(FakeSource(self.arrived), self.arrivals)
        self.desk = wiring.requests(FakeSource(self.asked), self.requests)

    def lands(self, *values: bytes) -> None:
        for value in values:
            self.arrived.append((ARRIVALS_TOPIC, 0), value, NOON)

    def asks(self, *values: bytes) -> None:
        for value in values:
            self.asked.append((REQUESTS_TOPIC, 0), value, NOON)

    async def read(self, stage: IntakeStage | RequestsStage, broker: FakeBroker) -> list[Step | Transient]:
        """Step until all is committed."""
        steps: list[Step | Transient] = []
        while broker.lag:
            assert len(steps) < 1000, "it never ends"
            try:
                steps.append(await stage.step(NOON))
            except Transient as trouble:
                steps.append(trouble)
        return steps

    @property
    def letters(self) -> list[OutgoingEvent]:
        return list(self.database.outbox.values())


async def test_a_record_is_quoted_once_whatever_it_holds() -> None:
    scene = Scene()
    scene.lands(LONG_VALUE, LONG_VALUE)

    await scene.read(scene.intake, scene.arrived)

    told = [json.loads(letter.value)["data"] for letter in scene.letters]
    assert len(told) == 2 * MAX_LETTERS_A_RECORD
    assert [letter["value"] is not None for letter in told] == 2 * [True, *(MAX_LETTERS_A_RECORD - 1) * [False]]
    assert {letter["value_bytes"] for letter in told} == {len(LONG_VALUE)}
    assert sum(len(letter.value) for letter in scene.letters) < len(LONG_VALUE)


async def test_a_poll_of_many_entries_is_recorded_by_portions_and_committed_once() -> None:
    scene = Scene()
    scene.lands(*[MANY_ENTRIES] * 20, file_event())

    steps = await scene.read(scene.intake, scene.arrived)

    a_portion = PORTION_BYTES // (10_000 * ENTRY_BYTES) + 1
    assert len(steps) == 20 // a_portion + 1
    assert max(scene.arrivals.transactions) <= a_portion * MAX_LETTERS_A_RECORD + 1
    assert len(scene.letters) == 20 * MAX_LETTERS_A_RECORD
    assert len(scene.database.files) == 2


async def test_a_consumer_that_is_killed_between_two_portions_reads_the_poll_again() -> None:
    scene = Scene()
    scene.lands(*[MANY_ENTRIES] * 9)

    await scene.intake.step(NOON)

    assert scene.arrived.lag == 9
    assert 0 < len(scene.letters) < 9 * MAX_LETTERS_A_RECORD


async def test_others_have_their_turns_while_a_portion_is_taken_in() -> None:
    scene = Scene()
    scene.lands(*[MANY_ENTRIES] * 3)
    scene.asks(*[request_event(load_asked(), f"r-{number}") for number in range(3 * TURN_BYTES // ENTRY_BYTES // 32)])
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    other = asyncio.create_task(others())
    await scene.intake.step(NOON)
    of_intake, turns = turns, 0
    await scene.desk.step(NOON)
    other.cancel()

    assert of_intake >= 3
    assert turns >= 3


@pytest.mark.parametrize("trouble", [1, 3, 8])
async def test_what_is_too_much_for_the_ledger_is_tried_in_halves(trouble: int) -> None:
    scene = Scene(most=trouble)
    scene.lands(*[file_event(f"s3://landing/other/{number}.csv") for number in range(64)])
    scene.asks(*[request_event(load_asked(), f"r-{number}") for number in range(64)])

    landed = await scene.read(scene.intake, scene.arrived)
    asked = await scene.read(scene.desk, scene.asked)

    assert len(scene.database.files) == 64
    assert len(scene.database.requests) == 64
    assert max(scene.arrivals.transactions) <= trouble
    assert max(scene.requests.transactions) <= trouble
    assert any(isinstance(step, Transient) for step in (*landed, *asked))


def test_a_portion_is_halved_down_to_one_byte_and_grows_again() -> None:
    portion = Portion(bytes=6, most=6)

    halves = [portion := portion.after_trouble() for _ in range(4)]
    doubled = [portion := portion.after_success() for _ in range(4)]

    assert [one.bytes for one in halves] == [3, 1, 1, 1]
    assert [one.bytes for one in doubled] == [2, 4, 6, 6]
