"""The router as a process: parts, stages, and its end. Reads top to bottom as its life."""

import asyncio
import gc
import signal
from collections.abc import Sequence
from contextlib import suppress

from router.adapters.clock import SystemClock
from router.adapters.http.health import health_routes
from router.adapters.http.server import Server
from router.adapters.http.webhooks import webhook_routes
from router.adapters.kafka.publisher import KafkaPublisher
from router.adapters.kafka.source import KafkaSource
from router.adapters.metrics import Metrics
from router.adapters.postgres.database import Database
from router.adapters.postgres.discovery import PostgresDiscovery
from router.adapters.postgres.intake import PostgresIntake
from router.adapters.postgres.lease import PostgresLease
from router.adapters.postgres.publication import PostgresPublication
from router.adapters.postgres.requests.ledger import PostgresRequests
from router.adapters.postgres.scheduling import PostgresScheduling
from router.adapters.postgres.settlement import PostgresSettlement
from router.adapters.postgres.standing import PostgresStanding
from router.adapters.postgres.status import PostgresStatus
from router.adapters.prefect.runs import PrefectRuns
from router.adapters.storage import ObjectStore
from router.driver import Progress, drive, log
from router.errors import Transient
from router.exposition import Exposition, Sources
from router.settings import Settings
from router.wiring import Ports, Wiring
from schemas.config import Config
from schemas.config.topics import COMPLETIONS_TOPIC, REQUESTS_TOPIC

ARRIVALS_GROUP, REQUESTS_GROUP = "autoloader-arrivals", "autoloader-requests"
COLLECT_AFTER_OBJECTS = 100_000


def collect_seldom() -> None:
    """Do not look for garbage among what intake makes and drops with each poll: that takes it a quarter of its time."""
    gc.set_threshold(COLLECT_AFTER_OBJECTS)


async def run(settings: Settings, config: Config) -> None:
    """Run the router from its start to SIGTERM or SIGINT."""
    collect_seldom()
    clock, metrics = SystemClock(), Metrics(source.id for source in config.sources.values())
    database = Database(settings.database.url)
    lease = PostgresLease(database, settings.holder)
    runs = PrefectRuns(settings.prefect)
    events = KafkaSource(settings.kafka, ARRIVALS_GROUP, sorted(config.arrival_topics))
    asked = KafkaSource(settings.kafka, REQUESTS_GROUP, [REQUESTS_TOPIC])
    publisher = KafkaPublisher(settings.kafka)

    ports = Ports(
        events=events,
        asked=asked,
        intake=PostgresIntake(database),
        discovery=PostgresDiscovery(database),
        requests=PostgresRequests(database),
        scheduling=PostgresScheduling(database, lease),
        settlement=PostgresSettlement(database),
        publication=PostgresPublication(database, lease),
        store=ObjectStore(config.allow, config.credentials),
        runs=runs,
        publisher=publisher,
        clock=clock,
    )
    wiring = Wiring(config)
    slots = wiring.slots(runs)
    settlement, stages = wiring.stages(ports, slots)
    wakes = {stage.name: asyncio.Event() for stage in stages}
    progress = Progress(list(wakes), metrics, clock)

    def hint(run_id: str) -> None:
        settlement.hint(run_id)
        wakes[settlement.name].set()

    metrics.configured(config)
    standing = PostgresStanding(database, settings.holder, [source.id for source in config.sources.values()])
    told = Sources(PostgresStatus(database).lines, standing.read, [events, asked], settlement.held_up, slots.known)
    exposition = Exposition(metrics, told, clock)
    routes = [
        *webhook_routes(settings.webhook_secret, hint),
        *health_routes(progress.stuck, progress.not_ready, exposition.text),
    ]
    server = Server(routes, settings.http.host, settings.http.port)

    log.info("router_started", holder=settings.holder, sources=len(config.sources), port=settings.http.port)
    publisher.prepare([COMPLETIONS_TOPIC])
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(server.run(), name="http")]
            tasks += [group.create_task(drive(stage, wakes, clock, progress), name=stage.name) for stage in stages]
            tasks += [group.create_task(runs.prepare(), name="deployments")]
            _cancel_on_signal(tasks)
    finally:
        server.close()
        await events.close()
        await asked.close()
        await publisher.close()
        await runs.close()
        with suppress(Transient):
            await lease.release()
        await database.close()
        log.info("router_stopped")


def _cancel_on_signal(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancel all on SIGTERM and SIGINT: whoever comes next does again what was cut short, by the ledger."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, lambda: [task.cancel() for task in tasks])
