"""Intake has two polls in flight: what is read ahead while the ledger records, and what trouble costs."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import pytest

from router.errors import Transient
from router.ports.intake import Intake, Recorded
from router.step import Step
from router.wiring import Wiring
from schemas.config.topics import ARRIVALS_TOPIC
from tests.builders import NOON, config, file_event
from tests.fakes.clock import FakeClock
from tests.fakes.database import FakeDatabase
from tests.fakes.intake import FakeIntake
from tests.fakes.source import FakeBroker, FakeSource

PARTITION = (ARRIVALS_TOPIC, 0)


class SlowArrivals(FakeIntake):
    """Records only when it may, unless it is told to fail."""

    def __init__(self, database: FakeDatabase) -> None:
        super().__init__(database)
        self.may_record = asyncio.Event()
        self.trouble: Transient | None = None

    async def record(self, intake: Intake) -> Recorded:
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
        source = FakeSource(self.broker, records_a_poll=4)
        self.stage = Wiring(config()).intake(source, self.ledger)

    def begin(self) -> "asyncio.Task[Step]":
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
    assert (await step).goes_on
    assert (scene.broker.lag, len(scene.database.files)) == (4, 4)
    assert not (await scene.stage.step(NOON)).goes_on
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
