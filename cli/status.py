"""`autoloader status`: how every source stands."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table

from cli import environment
from cli.reading import ask
from router.adapters.postgres.reading import SourceStatus


def status(*, as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False) -> None:
    """Show what waits, what is in flight and how the last batch of each source ended."""
    environ = environment.environment()
    names = {source.id: name for name, source in environment.config(environ).sources.items()}
    rows = ask(environ, lambda ledger: ledger.status(list(names)))
    if as_json:
        print(json.dumps([{"name": names[row.source_id], **asdict(row)} for row in rows], default=str))
    else:
        Console().print(_table(names, rows))


def _table(names: dict[str, str], rows: Sequence[SourceStatus]) -> Table:
    table = Table("source", "waiting", "bytes", "oldest", "to measure", "in flight", "last batch", "ended")
    for row in rows:
        last = f"{row.last_outcome} {row.last_batch}" if row.last_batch else "-"
        table.add_row(
            names[row.source_id],
            str(row.waiting_files),
            decimal(row.waiting_bytes),
            f"{row.oldest:%H:%M:%S}" if row.oldest else "-",
            str(row.to_measure),
            row.in_flight or "-",
            f"{last}: {row.last_reason}" if row.last_reason else last,
            f"{row.last_ended:%Y-%m-%d %H:%M:%S}" if row.last_ended else "-",
        )
    return table
