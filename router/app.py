"""The router as a process: parts, stages, one loop that drives them, and its end. Reads top to bottom as its life."""

import asyncio
import gc
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import TypeAlias

import structlog

from router.adapters.clock import SystemClock
from router.adapters.http import Server, application
from router.adapters.kafka.publisher import KafkaPublisher
from router.adapters.kafka.source import KafkaSource
from router.adapters.metrics import Backlog, Metrics
from router.adapters.postgres.arrivals import PostgresArrivals
from router.adapters.postgres.attempts import PostgresAttempts
from router.adapters.postgres.batches import PostgresBatches
from router.adapters.postgres.database import Database
from router.adapters.postgres.lease import PostgresLease
from router.adapters.postgres.outbox import PostgresOutbox
from router.adapters.postgres.reading import LineStatus, PostgresReading
from router.adapters.postgres.requests import PostgresRequests
from router.adapters.prefect import PrefectRuns
from router.adapters.storage import ObjectStore
from router.errors import Transient
from router.ports import Clock
from router.rules.belonging import Belonging
from router.rules.matching import Matcher
from router.rules.requests import Permissions
from router.rules.sizing import Sizing
from router.settings import Settings
from router.stages.discovery import DiscoveryStage
from router.stages.intake import IntakeStage
from router.stages.listing import ListingStage
from router.stages.publication import PublicationStage
from router.stages.requests import RequestsStage
from router.stages.scheduling import SchedulingStage
from router.stages.settlement import SettlementStage
from router.step import Stage, Step
from schemas.config import REQUESTS_TOPIC, Config

ARRIVALS_GROUP, REQUESTS_GROUP = "autoloader-arrivals", "autoloader-requests"
IDLE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 10.0
COLLECT_AFTER_OBJECTS = 100_000
STUCK_SECONDS = 120.0
LOOK_EVERY_SECONDS = 5.0
LOOK_PATIENCE = timedelta(seconds=5)  # a scrape waits no longer for it, by default ten seconds in all
PAUSE_AFTER_LOOK = 9  # times what it took
RENDER_EVERY_SECONDS = 1.0
CountLines: TypeAlias = Callable[[timedelta], Awaitable[Sequence[LineStatus]]]
CountLag: TypeAlias = Callable[[], Mapping[str, int]]

log = structlog.get_logger()


class Progress:
    """When each stage last came to the end of a step, and what troubles it."""

    def __init__(self, names: Sequence[str], metrics: Metrics, clock: Clock) -> None:
        self._last = dict.fromkeys(names, time.monotonic())
        self._trouble: dict[str, str] = dict.fromkeys(names, "has not come to the end of a step yet")
        self._metrics = metrics
        self._clock = clock

    def stepped(self, stage: str, step: Step, seconds: float) -> None:
        """Record a step: trouble is logged when it begins and when it ends, not while it lasts."""
        before, trouble = self._trouble.get(stage), step.trouble or ""
        self._last[stage] = time.monotonic()
        self._trouble[stage] = trouble
        self._metrics.stepped(stage, seconds, self._clock.now(), in_trouble=bool(trouble))
        if trouble and trouble != before:
            log.warning("stage_troubled", stage=stage, trouble=trouble)
        if before and not trouble:
            log.info("stage_ready", stage=stage)
        for fact in step.facts:
            self._metrics.happened(stage, fact)
            log.info(fact.name, stage=stage, count=fact.count, **fact.keys)

    def stuck(self) -> Mapping[str, str]:
        """Stages whose step does not come to an end: a consumer may hang alive."""
        now = time.monotonic()
        ages = {name: now - last for name, last in self._last.items()}
        return {name: f"no progress for {age:.0f} s" for name, age in ages.items() if age > STUCK_SECONDS}

    def not_ready(self) -> Mapping[str, str]:
        """Stages in trouble, with their trouble."""
        return {name: trouble for name, trouble in self._trouble.items() if trouble}


class Exposition:
    """The metrics with what stands just now. However many ask at once, one looks and renders, the others get the same.

    What waits is counted at most every five seconds, and a tenth of the time at most: counting may take long.
    """

    def __init__(self, metrics: Metrics, lines: CountLines, lags: Sequence[CountLag], clock: Clock) -> None:
        self._metrics = metrics
        self._lines = lines
        self._lags = lags
        self._clock = clock
        self._turn = asyncio.Lock()
        self._next_look = 0.0
        self._next_text = 0.0
        self._text = b""

    async def text(self) -> bytes:
        """Rendered outside the loop: of many sources that takes longer than a stage may wait."""
        async with self._turn:
            if time.monotonic() >= self._next_text:
                await self._look()
                self._text = await asyncio.to_thread(self._metrics.exposition)
                self._next_text = time.monotonic() + RENDER_EVERY_SECONDS
            return self._text

    async def _look(self) -> None:
        """Without an answer of the ledger what waits is told as before, with the time at which it was counted."""
        begun = time.monotonic()
        if begun < self._next_look:
            return
        for lag in self._lags:
            self._metrics.lags(lag())
        with suppress(Transient):
            lines = await self._lines(LOOK_PATIENCE)
            await asyncio.to_thread(self._waits, lines)
        now = time.monotonic()
        self._next_look = now + max(LOOK_EVERY_SECONDS, (now - begun) * PAUSE_AFTER_LOOK)

    def _waits(self, lines: Sequence[LineStatus]) -> None:
        backlogs = [Backlog(line.source_id, line.lane, line.files, line.bytes, line.landed) for line in lines]
        self._metrics.waits(backlogs, self._clock.now())


async def drive(stage: Stage, wakes: Mapping[str, asyncio.Event], clock: Clock, progress: Progress) -> None:
    """Step a stage for ever: again at once while there is more, else when another stage did something, or a second on.

    Trouble outside pauses the stage, longer each time that nothing was done; a bug ends the process.
    """
    pause, wake = IDLE_SECONDS, wakes[stage.name]
    while True:
        wake.clear()
        begun = time.monotonic()
        try:
            step = await stage.step(clock.now())
        except Transient as trouble:
            step = Step(trouble=str(trouble))
        except asyncio.CancelledError as error:
            if (task := asyncio.current_task()) and task.cancelling():
                raise
            # let out by a library; passed on, it would end this stage without a word while the others go on
            raise RuntimeError(f"{stage.name} was cancelled from within") from error
        progress.stepped(stage.name, step, time.monotonic() - begun)
        if step.facts:
            for other in wakes.values():
                other.set()
        if step.facts or step.trouble is None:
            pause = IDLE_SECONDS
        if step.trouble is not None:
            await rest(wake, pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
        elif not step.more:
            with suppress(TimeoutError):
                await asyncio.wait_for(wake.wait(), IDLE_SECONDS)


async def rest(wake: asyncio.Event, seconds: float) -> None:
    """Pause a stage in trouble: a second, and what is left of the pause until another stage does something.

    The trouble may be one item's, and what others did may be for the next.
    """
    await asyncio.sleep(IDLE_SECONDS)
    with suppress(TimeoutError):
        await asyncio.wait_for(wake.wait(), seconds - IDLE_SECONDS)


def collect_seldom() -> None:
    """Do not look for garbage among what intake makes and drops with each poll: that takes it a quarter of its time."""
    gc.set_threshold(COLLECT_AFTER_OBJECTS)


async def run(settings: Settings, config: Config) -> None:
    """From start to SIGTERM or SIGINT."""
    collect_seldom()
    clock, metrics = SystemClock(), Metrics(source.id for source in config.sources.values())
    database = Database(settings.database_url)
    lease = PostgresLease(database, settings.holder)
    runs = PrefectRuns(settings.prefect_api_url, settings.prefect_ui_url, settings.prefect_headers)
    source = KafkaSource(settings.kafka_bootstrap_servers, ARRIVALS_GROUP, sorted(config.arrival_topics))
    asked = KafkaSource(settings.kafka_bootstrap_servers, REQUESTS_GROUP, [REQUESTS_TOPIC])
    publisher = KafkaPublisher(settings.kafka_bootstrap_servers)

    arrivals, requests, store = PostgresArrivals(database), PostgresRequests(database), ObjectStore(config.allow)
    sizing, matcher = Sizing(config), Matcher(config)
    permissions, belonging = Permissions(config, matcher), Belonging(config, matcher)
    settlement = SettlementStage(
        PostgresAttempts(database),
        requests,
        runs,
        permissions=permissions,
        sizing=sizing,
        config=config,
    )
    stages: list[Stage] = [
        IntakeStage(source, arrivals, Matcher(config, for_events=True), sizing, config.arrival_topics),
        RequestsStage(asked, requests, permissions),
        DiscoveryStage(store, arrivals, belonging, sizing),
        ListingStage(store, requests, permissions, belonging, sizing),
        SchedulingStage(config, PostgresBatches(database, lease), runs, clock, sizing),
        settlement,
        PublicationStage(PostgresOutbox(database, lease), publisher),
    ]
    wakes = {stage.name: asyncio.Event() for stage in stages}
    progress = Progress(list(wakes), metrics, clock)

    def hint(run_id: str) -> None:
        settlement.hint(run_id)
        wakes[settlement.name].set()

    app = application(
        secret=settings.webhook_secret,
        hint=hint,
        stuck=progress.stuck,
        not_ready=progress.not_ready,
        exposition=Exposition(metrics, PostgresReading(database).lines, [source.lag, asked.lag], clock).text,
    )
    server = Server(app, settings.http_host, settings.http_port)

    log.info("router_started", holder=settings.holder, sources=len(config.sources), port=settings.http_port)
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(server.run(), name="http")]
            tasks += [group.create_task(drive(stage, wakes, clock, progress), name=stage.name) for stage in stages]
            _cancel_on_signal(tasks)
    finally:
        server.close()
        await source.close()
        await asked.close()
        await publisher.close()
        await runs.close()
        with suppress(Transient):
            await lease.release()
        await database.close()
        log.info("router_stopped")


def _cancel_on_signal(tasks: Sequence[asyncio.Task[None]]) -> None:
    """A step cut short is done again by whoever comes next: that is what the ledger is for."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, lambda: [task.cancel() for task in tasks])
