"""The loop that drives the stages."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

import pytest

from router.adapters.clock import SystemClock
from router.adapters.metrics import Metrics
from router.driver import Progress, drive, rest
from router.errors import Transient
from router.exposition import Exposition, Sources
from router.facts import ArrivalsMeasured, FilesRemoved, RequestEnded
from router.rules.status import LineStatus, Standing
from router.stages.settlement import SettlementStage
from router.step import Step
from schemas.config.lanes import Lane
from tests.builders import standing


class Scripted:
    """A stage that does as told, then stops its loop."""

    name = "intake"

    def __init__(self, *script: Callable[[], Awaitable[Step]]) -> None:
        self._script = list(script)

    async def step(self, now: datetime) -> Step:
        if not self._script:
            raise EndOfScript
        return await self._script.pop(0)()


class EndOfScript(Exception):
    """The loop came this far."""


async def does(step: Step) -> Step:
    return step


async def fails(error: BaseException) -> Step:
    raise error


def driven(stage: Scripted) -> tuple[Awaitable[None], Progress, Metrics]:
    metrics = Metrics([])
    progress = Progress([stage.name], metrics, SystemClock())
    return drive(stage, {stage.name: asyncio.Event()}, SystemClock(), progress), progress, metrics


async def test_a_bug_ends_the_loop() -> None:
    loop, _, _ = driven(Scripted())

    with pytest.raises(EndOfScript):
        await loop


async def test_trouble_is_told_and_the_stage_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("router.driver.IDLE_SECONDS", 0.001)
    away, well = Transient("Kafka: away"), Step((ArrivalsMeasured(3, new_files=3),), more=True)
    loop, progress, metrics = driven(Scripted(lambda: fails(away)))
    with suppress(EndOfScript):
        await loop
    recovered, after, counted = driven(Scripted(lambda: fails(away), lambda: does(well)))
    with suppress(EndOfScript):
        await recovered

    assert progress.not_ready() == {"intake": "Kafka: away"}
    assert b'autoloader_stage_in_trouble{stage="intake"} 1.0' in metrics.exposition()
    assert after.not_ready() == {}
    assert b'autoloader_facts_total{fact="arrivals_measured",stage="intake"} 3.0' in counted.exposition()


async def test_what_a_step_in_trouble_did_is_told_with_its_trouble() -> None:
    """What is left of it waits, and the others hear of what was done."""
    both = Step((RequestEnded("r-1", "load", "loaded", None),), more=True, trouble="Prefect: away")
    metrics = Metrics([])
    progress = Progress(["intake"], metrics, SystemClock())
    wakes = {"intake": asyncio.Event(), "publication": asyncio.Event()}
    loop = asyncio.create_task(drive(Scripted(lambda: does(both)), wakes, SystemClock(), progress))

    await wakes["publication"].wait()
    loop.cancel()

    assert progress.not_ready() == {"intake": "Prefect: away"}
    assert b'autoloader_facts_total{fact="request_ended",stage="intake"} 1.0' in metrics.exposition()
    with pytest.raises(asyncio.CancelledError):
        await loop


async def test_the_others_hear_of_a_burst_when_it_is_all_there() -> None:
    """Else its first file would be a batch of its own, and all the others would wait behind it."""
    heard: list[bool] = []
    wakes = {"intake": asyncio.Event(), "scheduling": asyncio.Event()}

    async def does_next(step: Step) -> Step:
        heard.append(wakes["scheduling"].is_set())
        return step

    first = Step((ArrivalsMeasured(1, new_files=1),), more=True, goes_on=True)
    last = Step((ArrivalsMeasured(999, new_files=999),), more=True)
    stage = Scripted(*(lambda step=step: does_next(step) for step in (first, last, Step(more=True))))

    with suppress(EndOfScript):
        await drive(stage, wakes, SystemClock(), Progress(["intake"], Metrics([]), SystemClock()))

    assert heard == [False, False, True]


async def test_the_pause_grows_only_while_nothing_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    async def rests(_: asyncio.Event, seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr("router.driver.rest", rests)
    away, did = Step(trouble="away"), Step((FilesRemoved(1),), trouble="away")
    loop, _, _ = driven(Scripted(*[lambda: does(away)] * 3, lambda: does(did), lambda: does(away)))

    with suppress(EndOfScript):
        await loop

    assert pauses == [1, 2, 4, 1, 2]


async def test_a_stage_in_trouble_goes_on_when_another_did_something(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("router.driver.IDLE_SECONDS", 0.001)
    wake = asyncio.Event()
    resting = asyncio.create_task(rest(wake, 3600))

    wake.set()

    async with asyncio.timeout(10):
        await resting


async def test_a_cancellation_that_a_library_lets_out_is_a_bug_not_an_end() -> None:
    loop, _, _ = driven(Scripted(lambda: fails(asyncio.CancelledError())))

    with pytest.raises(RuntimeError, match="intake was cancelled from within"):
        await loop


async def test_a_cancellation_that_a_library_swallows_ends_the_stage_all_the_same() -> None:
    async def swallows() -> Step:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        return Step()

    loop, _, _ = driven(Scripted(swallows, swallows))
    task = asyncio.ensure_future(loop)
    await asyncio.sleep(0)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 5)


class Counting:
    """A ledger that counts what waits, when it may; and how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.may_answer = asyncio.Event()
        self.away = False

    async def lines(self, patience: timedelta) -> Sequence[LineStatus]:
        self.asked += 1
        await self.may_answer.wait()
        if self.away:
            raise Transient("PostgreSQL: QueryCanceledError: statement timeout")
        return [LineStatus("orders-v1", "default", 7, 70, SystemClock().now())]

    async def standing(self, patience: timedelta) -> Standing:
        return standing(in_flight={"default": 2})


class Consuming:
    """A consumer that is four records behind."""

    def lag(self) -> Mapping[str, int]:
        return {"ingestion.requests": 4}

    def behind_since(self) -> Mapping[str, datetime]:
        return {"ingestion.requests": SystemClock().now() - timedelta(hours=1)}


def held_up() -> Mapping[tuple[Lane, str], int]:
    return {("high-memory", "Unschedulable"): 2}


def exposed(counting: Counting, metrics: Metrics) -> Exposition:
    told = Sources(counting.lines, counting.standing, [Consuming()], held_up, lambda _: {"default": 6})
    return Exposition(metrics, told, SystemClock())


async def test_however_many_ask_for_metrics_one_looks() -> None:
    counting = Counting()
    exposition = exposed(counting, Metrics(["orders-v1"]))

    asking = [asyncio.create_task(exposition.text()) for _ in range(6)]
    await asyncio.sleep(0)
    counting.may_answer.set()
    texts = await asyncio.gather(*asking)

    assert counting.asked == 1
    assert len(set(texts)) == 1
    assert b'autoloader_backlog_files{lane="default",source="orders-v1"} 7.0' in texts[0]
    assert b'autoloader_consumer_lag_records{topic="ingestion.requests"} 4.0' in texts[0]
    assert b'autoloader_consumer_behind_seconds{topic="ingestion.requests"} 360' in texts[0]
    assert b'autoloader_lane_in_flight{lane="default"} 2.0' in texts[0]
    assert b'autoloader_lane_slots{lane="default"} 6.0' in texts[0]


async def test_metrics_are_told_without_an_answer_of_the_ledger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("router.exposition.LOOK_EVERY_SECONDS", 0)
    monkeypatch.setattr("router.exposition.RENDER_EVERY_SECONDS", 0)
    counting = Counting()
    counting.may_answer.set()
    exposition = exposed(counting, Metrics(["orders-v1"]))
    before = await exposition.text()

    counting.away = True
    after = await exposition.text()

    assert b"autoloader_backlog_files{" in before
    assert b'autoloader_backlog_files{lane="default",source="orders-v1"} 7.0' in after


async def test_rendering_metrics_does_not_hold_up_the_stages(monkeypatch: pytest.MonkeyPatch) -> None:
    counting, metrics, may_render = Counting(), Metrics([]), threading.Event()
    counting.may_answer.set()

    def render_once_the_loop_has_gone_on(*, with_examples: bool) -> bytes:
        assert may_render.wait(60), "the loop stands still"
        return b"rendered"

    monkeypatch.setattr(metrics, "exposition", render_once_the_loop_has_gone_on)
    asking = asyncio.create_task(exposed(counting, metrics).text())
    asyncio.get_running_loop().call_later(0, may_render.set)

    assert await asking == b"rendered"


async def test_a_stage_is_not_ready_before_its_first_step() -> None:
    progress = Progress([SettlementStage.name], Metrics([]), SystemClock())

    assert progress.not_ready() == {"settlement": "has not come to the end of a step yet"}
    assert progress.stuck() == {}
