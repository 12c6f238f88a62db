"""`autoloader cost`: what the loads of the last days cost, and what they would have cost otherwise."""

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated

import typer
from pydantic import ByteSize, TypeAdapter, ValidationError
from rich.console import Console
from rich.table import Table

from cli import environment
from cli.answering import AsJson
from cli.ledger import with_ledger
from router.adapters.postgres.cost import PostgresCost
from router.rules.cost import Cost, Costing, LaneCost, for_programs, origins
from schemas.config.sizes import Reserved


def cost(
    *,
    days: Annotated[float, typer.Option(min=0.01, max=365, help="Of so many days, up to now.")] = 7,
    above: Annotated[str, typer.Option(help="Beside another threshold of high-memory, e.g. 5GiB.")] = "",
    pod_start: Annotated[
        float | None, typer.Option(min=0, help="Seconds that a pod takes to start, where none was seen to.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say what loads cost in CPU-hours and GiB-hours in each lane, beside a pod for every run.

    Runs are measured, sizes are those of the configuration, and a worker costs the same when it is idle.
    """
    environ = environment.environment()
    config = environment.config(environ)
    now = config.lanes.high_memory.above
    other = _bytes(above) if above else now
    thresholds = min(now, other), max(now, other)
    spent = with_ledger(environ, lambda database: PostgresCost(database).spent(timedelta(days=days), *thresholds))
    costing = Costing(config, spent, pod_start)
    costs = [costing.as_it_is(), costing.in_pods(), *([costing.with_above(other, above)] if above else [])]
    if as_json:
        print(json.dumps(for_programs(costing, costs), default=str))
        return
    print(f"{spent.since:%Y-%m-%d %H:%M} to {spent.until:%Y-%m-%d %H:%M} UTC, {spent.hours:.1f} hours")
    Console().print(_table(costs))
    print("\n".join(origins(costing)))


def _bytes(above: str) -> int:
    try:
        return TypeAdapter(ByteSize).validate_python(above)
    except ValidationError as error:
        raise typer.BadParameter(f"--above {above}: write a number and MiB or GiB") from error


def _table(costs: Sequence[Cost]) -> Table:
    table = Table("", "lane", "runs", "their hours", "of its slots", "CPU-hours", "GiB-hours", "what stands")
    for one in costs:
        for place, lane in enumerate(one.lanes):
            table.add_row(one.name if place == 0 else "", *_row(lane))
        if one.connect is not None:
            table.add_row(
                "", "Spark Connect", "", "", "", f"{one.connect.cpu_hours:.1f}", f"{one.connect.gib_hours:.1f}", ""
            )
        total = (f"{one.total.cpu_hours:.1f}", f"{one.total.gib_hours:.1f}")
        table.add_row("", "together", "", "", "", *total, "", end_section=True)
    return table


def _row(lane: LaneCost) -> Sequence[str]:
    pods = " + pods" if lane.in_pods else ""
    return (
        lane.lane,
        str(lane.runs),
        f"{lane.run_hours:.2f}",
        f"{lane.busy:.1%}",
        f"{lane.amount.cpu_hours:.1f}",
        f"{lane.amount.gib_hours:.1f}",
        f"{lane.workers} × {_size(lane.worker)}{pods}",
    )


def _size(size: Reserved) -> str:
    return f"{size.cpu:g} CPU, {size.memory.human_readable()}"
