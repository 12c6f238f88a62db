"""Intake has two polls in flight: what is read ahead while the ledger records, and what trouble costs."""

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress

import pytest

from router.errors import Transient
from router.ports.intake import Intake, Recorded
from router.rules.portion import TURN_BYTES
from router.stages.intake import MAX_LETTERS_A_RECORD
from router.wiring import Wiring
from schemas.config.topics import ARRIVALS_TOPIC
from tests.builders import NOON, config, file_event
from tests.fakes.clock import FakeClock
from tests.fakes.database import FakeDatabase
from tests.fakes.intake import FakeIntake
from tests.fakes.source import FakeBroker, FakeSource

PARTITION = (ARRIVALS_TOPIC, 0)
RECORDS = 4  # of a poll


class SlowArrivals(FakeIntake):
    """Records only when it may, unless it is told to fail."""

    def __init__(self, database: FakeDatabase) -> None:
        super().__init__(database)
        self.may_record = asyncio.Event()
        self.is_asked = asyncio.Event()
        self.trouble: Transient | None = None

    async def record(self, intake: Intake) -> Recorded:
        self.is_asked.set()
        await self.may_record.wait()
        if self.trouble is not None:
            raise self.trouble
        return await super().record(intake)


class Scene:
    """Eight records on one partition, of which a poll takes four."""

    def __init__(self) -> None:
        self.broker = FakeBroker([PARTITION])
        for name in "abcdefgh":
            self.broker.append(PARTITION, file_event(f"s3://landing/other/{name}.csv"), NOON)
        self.database = FakeDatabase(FakeClock(NOON))
        self.ledger = SlowArrivals(self.database)
        source = FakeSource(self.broker, records_a_poll=RECORDS)
        self.stage = Wiring(config()).intake(source, self.ledger)

    def begin(self) -> "asyncio.Task[object]":
        return asyncio.create_task(self.stage.step(NOON))

    async def finish(self) -> None:
        """Without trouble from now on."""
        self.ledger.trouble = None
        self.ledger.may_record.set()
        while self.broker.lag:
            await self.stage.step(NOON)


async def until(condition: Callable[[], bool]) -> None:
    """Give the others their turns."""
    for _ in range(100):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it does not come to that")


async def test_while_a_poll_is_recorded_the_next_is_taken_in() -> None:
    scene = Scene()

    step = scene.begin()
    await until(lambda: scene.broker.unread == 0)

    assert scene.broker.lag == 8
    scene.ledger.may_record.set()
    await step
    assert (scene.broker.lag, len(scene.database.files)) == (4, 4)
    await scene.stage.step(NOON)
    assert (scene.broker.lag, len(scene.database.files)) == (0, 8)


async def test_what_was_not_recorded_is_taken_in_again_before_what_comes_next() -> None:
    scene = Scene()
    step = scene.begin()
    await until(lambda: scene.broker.unread == 0)

    scene.ledger.trouble = Transient("PostgreSQL: away")
    scene.ledger.may_record.set()
    with pytest.raises(Transient, match="PostgreSQL"):
        await step

    assert scene.broker.lag == 8
    await scene.finish()
    assert len(scene.database.files) == 8


async def test_trouble_ahead_loses_nothing_of_what_is_being_recorded() -> None:
    scene = Scene()
    step = scene.begin()
    await until(lambda: scene.broker.unread < 8)
    scene.broker.away = True

    scene.ledger.may_record.set()
    with pytest.raises(Transient, match="Kafka"):
        await step

    scene.broker.away = False
    await scene.finish()
    assert len(scene.database.files) == 8


async def test_a_step_that_is_cut_short_records_nothing_later() -> None:
    scene = Scene()
    step = scene.begin()
    await until(lambda: scene.broker.unread == 0)

    step.cancel()
    with suppress(asyncio.CancelledError):
        await step
    scene.ledger.may_record.set()
    await asyncio.sleep(0)

    assert scene.database.files == {}
    await scene.finish()
    assert len(scene.database.files) == 8


async def test_a_record_of_nothing_but_poison_is_quoted_once() -> None:
    scene = Scene()
    await scene.finish()
    scene.broker.append(PARTITION, json.dumps({"Records": [{"eventVersion": "9"}] * 200}).encode(), NOON)

    await scene.finish()

    letters = [json.loads(event.value)["data"] for event in scene.database.outbox.values()]
    assert len(letters) == MAX_LETTERS_A_RECORD
    assert [letter["value"] is not None for letter in letters].count(True) == 1


async def test_others_have_their_turns_while_a_heavy_poll_is_taken_in() -> None:
    scene = Scene()
    await scene.finish()
    for _ in range(RECORDS):
        scene.broker.append(PARTITION, b" " * 3 * TURN_BYTES + file_event("s3://landing/other/a.csv"), NOON)
    scene.ledger.is_asked.clear()
    turns, step = 0, scene.begin()
    while not scene.ledger.is_asked.is_set():
        turns += 1
        await asyncio.sleep(0)
    await step

    assert turns > RECORDS
