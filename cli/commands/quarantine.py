"""`autoloader quarantine`: what of a source was not loaded because of what it holds."""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from cli import environment
from cli.answering import AsJson, Wait, answered, checked
from cli.ledger import with_ledger
from cli.sources import Source, named
from router.adapters.postgres.columns import PostgresColumns
from router.rules.columns import KeptAside
from schemas.events.requests import RetryAsked


def quarantine(
    source: Source,
    *,
    load: Annotated[bool, typer.Option("--load", help="Load the files that were set aside once more.")] = False,
    most: Annotated[int, typer.Option(help="So many files at most, the newest first.", min=1)] = 20,
    wait: Wait = 600,
    as_json: AsJson = False,
) -> None:
    """List the files of SOURCE that were set aside, and those that were loaded without some records, with the reasons.

    The records are in the table beside SOURCE's table, whose name ends with __quarantine.
    """
    environ = environment.environment()
    found = named(environment.config(environ), source)
    kept = with_ledger(environ, lambda database: PostgresColumns(database).kept_aside(found.source.id, most))
    files = tuple(one.uri for one in kept if one.outcome == "quarantined")
    if load and files:
        answered(checked(lambda: RetryAsked(files=files)), None, wait, as_json=as_json)
    elif as_json:
        print(json.dumps([asdict(one) for one in kept], default=str))
    elif not kept:
        print(f"nothing of {source} is kept aside")
    else:
        print("\n".join(line for one in kept for line in _lines(one)))
        print(f"bad records are in {found.source.into.table}__quarantine; autoloader quarantine {source} --load")


def _lines(kept: KeptAside) -> list[str]:
    what = "set aside" if kept.outcome == "quarantined" else f"{kept.rows_bad} records kept aside, {kept.rows} loaded"
    return [f"{kept.uri}: {what}", f"  {kept.reason}"]
