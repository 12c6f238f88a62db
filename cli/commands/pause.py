"""`autoloader pause`: hold a source back."""

from cli import environment
from cli.ledger import with_ledger
from cli.sources import Source, named
from router.adapters.postgres.pausing import PostgresPausing


def pause(source: Source) -> None:
    """Cut no batch of SOURCE until it is resumed. What is in flight goes on, what lands is recorded."""
    environ = environment.environment()
    source_id = named(environment.config(environ), source).source.id
    changed = with_ledger(environ, lambda database: PostgresPausing(database).pause(source_id, environment.user()))
    print(f"{source}: {'paused' if changed else 'was paused before'}; autoloader resume {source} lets it go on")
