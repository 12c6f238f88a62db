"""The loop that drives the stages."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime

import pytest

from router.adapters.clock import SystemClock
from router.adapters.metrics import Metrics
from router.app import Progress, drive
from router.errors import Transient
from router.stages.settlement import SettlementStage
from router.step import Fact, Step


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
    metrics = Metrics()
    progress = Progress([stage.name], metrics, SystemClock())
    return drive(stage, {stage.name: asyncio.Event()}, SystemClock(), progress), progress, metrics


async def test_a_bug_ends_the_loop() -> None:
    loop, _, _ = driven(Scripted())

    with pytest.raises(EndOfScript):
        await loop


async def test_trouble_is_told_and_the_stage_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("router.app.IDLE_SECONDS", 0.001)
    away, well = Transient("Kafka: away"), Step((Fact("arrivals_measured", count=3),), more=True)
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
    both = Step((Fact("request_ended", {"kind": "load", "outcome": "loaded"}),), more=True, trouble="Prefect: away")
    metrics = Metrics()
    progress = Progress(["intake"], metrics, SystemClock())
    wakes = {"intake": asyncio.Event(), "publication": asyncio.Event()}
    loop = asyncio.create_task(drive(Scripted(lambda: does(both)), wakes, SystemClock(), progress))

    await wakes["publication"].wait()
    loop.cancel()

    assert progress.not_ready() == {"intake": "Prefect: away"}
    assert b'autoloader_facts_total{fact="request_ended",stage="intake"} 1.0' in metrics.exposition()
    with pytest.raises(asyncio.CancelledError):
        await loop


async def test_the_pause_grows_only_while_nothing_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    async def paused(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr("router.app.asyncio.sleep", paused)
    away, did = Step(trouble="away"), Step((Fact("files_removed"),), trouble="away")
    loop, _, _ = driven(Scripted(*[lambda: does(away)] * 3, lambda: does(did), lambda: does(away)))

    with suppress(EndOfScript):
        await loop

    assert pauses == [1, 2, 4, 1, 2]


async def test_a_cancellation_that_a_library_lets_out_is_a_bug_not_an_end() -> None:
    loop, _, _ = driven(Scripted(lambda: fails(asyncio.CancelledError())))

    with pytest.raises(RuntimeError, match="intake was cancelled from within"):
        await loop


async def test_a_stage_is_not_ready_before_its_first_step() -> None:
    progress = Progress([SettlementStage.name], Metrics(), SystemClock())

    assert progress.not_ready() == {"settlement": "has not come to the end of a step yet"}
    assert progress.stuck() == {}
