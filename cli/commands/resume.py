"""`autoloader resume`: let a paused source go on."""

from cli import environment
from cli.ledger import with_ledger
from cli.sources import Source, named
from router.adapters.postgres.pausing import PostgresPausing


def resume(source: Source) -> None:
    """Let a paused SOURCE go on."""
    environ = environment.environment()
    source_id = named(environment.config(environ), source).source.id
    changed = with_ledger(environ, lambda database: PostgresPausing(database).resume(source_id))
    print(f"{source}: {'goes on' if changed else 'was not paused'}")
