"""One file on an idle stack, ten times: event → rows, and where the time goes.

Run by hand on a running local stack (`autoloader up` in another terminal, or `autoloader demo --keep` before):

    .venv/bin/python -m benchmarks.latency [times]

Before each file the stack has two seconds to become idle. Spans, in seconds, p50 and the range; the first six add up
to event → completion:

    intake, discovery   the event is written → its file waits → its batch is cut
    scheduling          the batch is cut → the run exists in Prefect
    Prefect, worker     the run exists → the flow's process has claimed the attempt
    Spark               claimed → committed to the table: the rows are there
    flow's end          committed → the result stands in the ledger
    settlement          the result stands in the ledger → the completion event has come back on Kafka
"""

import asyncio
import json
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from cli import environment
from cli.commands.land import announce, put
from cli.demo import completions, events_of
from schemas.connections import kafka_connection

IDLE_SECONDS = 2


async def one(environ: Mapping[str, str], number: int, folder: Path) -> dict[str, float]:
    """Land one file of ten rows and wait for its completion event."""
    await asyncio.sleep(IDLE_SECONDS)
    config = environment.config(environ)
    file = folder / f"{datetime.now(UTC):%H%M%S%f}-{number}.csv"
    file.write_text("year,month,day\n" + "2013,1,1\n" * 10)
    async with completions(kafka_connection(environ)) as consumer:
        uri = put(config, "flights", [file], "latency")[0]
        written = datetime.now(UTC)
        await announce(kafka_connection(environ), [uri])
        event = (await events_of(consumer, {uri}))[uri]
        back = datetime.now(UTC)
    return _spans(event["data"], written, back)


def _spans(data: Mapping[str, Any], written: datetime, back: datetime) -> dict[str, float]:
    seconds = data["seconds"]
    committed = datetime.fromisoformat(data["snapshot"]["committed_at"])
    rows = (committed - written).total_seconds()
    started = seconds["landed_to_cut"] + seconds["cut_to_submit"] + seconds["submit_to_start"]
    total = (back - written).total_seconds()
    return {
        "intake, discovery": seconds["landed_to_cut"],
        "scheduling": seconds["cut_to_submit"],
        "Prefect, worker": seconds["submit_to_start"],
        "Spark": rows - started,
        "flow's end": started + seconds["load"] - rows,
        "settlement": total - started - seconds["load"],
        "event → rows": rows,
        "event → completion": total,
    } | {name: value for name, value in seconds.items() if name.startswith("flow_")}


def p95(seconds: Sequence[float]) -> float:
    """What 95 of a hundred do not exceed."""
    return sorted(seconds)[int(len(seconds) * 0.95)]


async def main(times: int) -> None:
    """The table on the terminal, the numbers as JSON on the last line."""
    environ = environment.environment()
    with tempfile.TemporaryDirectory() as folder:
        runs = [await one(environ, number, Path(folder)) for number in range(times)]
    table = Table("span", "p50 s", "p95", "min", "max", title=f"one file on an idle stack, {times} times")
    medians = {}
    for span in runs[0]:
        values = [run[span] for run in runs if span in run]
        medians[span] = round(statistics.median(values), 3)
        shown = (medians[span], p95(values), min(values), max(values))
        table.add_row(span, *(f"{seconds:.2f}" for seconds in shown))
    Console().print(table)
    print(json.dumps(medians))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10))
