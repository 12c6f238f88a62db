"""`autoloader status`: how lanes and sources stand."""

import json
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console, Group
from rich.filesize import decimal
from rich.live import Live
from rich.table import Table

from cli import environment
from cli.ledger import with_ledger
from router.adapters.postgres.database import Database
from router.adapters.postgres.status import PostgresStatus
from router.rules.breaker import Breaker
from router.rules.status import Failure, SourceStatus, Status, for_programs, lanes
from schemas.config import Config

FAILURES = 5
WATCH_SECONDS = 2


def status(
    *,
    watch: Annotated[bool, typer.Option("--watch", help="Go on showing it until Ctrl-C.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Show what waits by lane and source, what is in flight, how fast it goes and what failed last."""
    environ = environment.environment()
    config = environment.config(environ)
    if as_json:
        print(json.dumps(for_programs(_read(environ, config), config), default=str))
    elif watch:
        _watch(environ, config)
    else:
        Console().print(_shown(config, _read(environ, config)))


def _read(environ: Mapping[str, str], config: Config) -> Status:
    ids = [source.id for source in config.sources.values()]

    async def read(database: Database) -> Status:
        ledger = PostgresStatus(database)
        return Status(
            await ledger.sources(ids),
            await ledger.lines(),
            await ledger.in_flight(),
            await ledger.failures(FAILURES),
            await ledger.breakers(),
        )

    return with_ledger(environ, read)


def _watch(environ: Mapping[str, str], config: Config) -> None:
    try:
        with Live(_shown(config, _read(environ, config)), screen=True) as live:
            while True:
                time.sleep(WATCH_SECONDS)
                live.update(_shown(config, _read(environ, config)))
    except KeyboardInterrupt:
        return


def _shown(config: Config, status: Status) -> Group:
    tables = [_lanes(config, status), _sources(config.source_names, status.sources)]
    tables += [_away(status.away)] if status.away else []
    return Group(*tables, *([_failures(config.source_names, status.failures)] if status.failures else []))


def _lanes(config: Config, status: Status) -> Table:
    table = Table("lane", "in flight", "slots", "waiting files", "bytes", "oldest")
    for lane in lanes(status, config):
        table.add_row(
            lane.lane, str(lane.in_flight), str(lane.slots), str(lane.files), decimal(lane.bytes), _age(lane.landed)
        )
    return table


def _sources(names: Mapping[str, str], rows: Sequence[SourceStatus]) -> Table:
    table = Table("source", "waiting", "bytes", "oldest", "to measure", "in flight", "last hour", "last batch", "ended")
    for row in rows:
        last = f"{row.last_outcome} {row.last_batch}" if row.last_batch else "-"
        table.add_row(
            names[row.source_id] + (" (paused)" if row.paused else ""),
            str(row.waiting_files),
            decimal(row.waiting_bytes),
            _age(row.landed),
            str(row.to_measure),
            row.in_flight or "-",
            f"{row.hour_files} files, {decimal(row.hour_bytes)}",
            f"{last}: {row.last_reason}" if row.last_reason else last,
            f"{row.last_ended:%Y-%m-%d %H:%M:%S}" if row.last_ended else "-",
        )
    return table


def _away(away: Sequence[Breaker]) -> Table:
    table = Table("away", "failures in a row", "why")
    for breaker in away:
        table.add_row(breaker.target, str(breaker.failures), breaker.reason)
    return table


def _failures(names: Mapping[str, str], failures: Sequence[Failure]) -> Table:
    table = Table("not loaded as a whole", "source", "outcome", "ended", "why")
    for failure in failures:
        table.add_row(
            failure.batch,
            names.get(failure.source_id, failure.source_id),
            failure.outcome,
            f"{failure.ended:%Y-%m-%d %H:%M:%S}",
            failure.reason or "-",
        )
    return table


def _age(landed: datetime | None) -> str:
    if landed is None:
        return "-"
    seconds = max(0, int((datetime.now(UTC) - landed).total_seconds()))
    hours, minutes = divmod(seconds // 60, 60)
    return f"{seconds} s" if seconds < 120 else f"{hours} h {minutes} min" if hours else f"{minutes} min"
