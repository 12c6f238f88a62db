"""`autoloader schema`: the columns of a source's table, and how they came to be."""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from cli import environment
from cli.errors import CommandError
from cli.ledger import with_ledger
from cli.sources import Source, named
from router.adapters.postgres.columns import PostgresColumns
from router.rules.columns import SchemaVersion, pinned


def schema(
    source: Source,
    *,
    propose: Annotated[bool, typer.Option("--propose", help="Print the YAML that pins the columns.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Show the versions of the columns of SOURCE's table, what changed in each, and by which batch."""
    environ = environment.environment()
    source_id = named(environment.config(environ), source).source.id
    versions = with_ledger(environ, lambda database: PostgresColumns(database).versions(source_id))
    if as_json:
        print(json.dumps([_for_programs(one) for one in versions]))
    elif not versions:
        raise CommandError(f"no load of {source} has made or changed a table yet")
    elif propose:
        print(pinned(versions[-1].columns))
    else:
        print("\n\n".join("\n".join(_lines(one)) for one in versions))


def _lines(version: SchemaVersion) -> list[str]:
    lines = [f"version {version.version} of {version.table}, {version.at:%Y-%m-%d %H:%M:%S} by batch {version.batch}"]
    lines += [f"  {one.op:<7} {one.column} {one.type}" for one in version.changes]
    given = [one.name for one in version.columns if one.given]
    return [*lines, f"  {len(version.columns)} columns, of which the configuration gives {', '.join(given) or 'none'}"]


def _for_programs(version: SchemaVersion) -> dict[str, object]:
    columns, changes = [[one.model_dump() for one in known] for known in (version.columns, version.changes)]
    return {**asdict(version), "columns": columns, "changes": changes, "at": version.at.isoformat()}
