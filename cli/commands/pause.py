"""`autoloader pause` and `autoloader resume`: hold a source back, and let it go on."""

from cli import environment
from cli.asking import user
from cli.commands.land import LandError
from cli.ledger import with_ledger
from router.adapters.postgres.pausing import PostgresPausing
from schemas.config import Config


class UnknownSource(LandError):
    """No source of that name or id: which there are."""


def pause(source: str) -> None:
    """Cut no batch of SOURCE until it is resumed. What is in flight goes on, what lands is recorded."""
    environ = environment.environment()
    source_id = source_named(environment.config(environ), source)
    changed = with_ledger(environ, lambda database: PostgresPausing(database).pause(source_id, user()))
    print(f"{source}: {'paused' if changed else 'was paused before'}; autoloader resume {source} lets it go on")


def resume(source: str) -> None:
    """Let a paused SOURCE go on."""
    environ = environment.environment()
    source_id = source_named(environment.config(environ), source)
    changed = with_ledger(environ, lambda database: PostgresPausing(database).resume(source_id))
    print(f"{source}: {'goes on' if changed else 'was not paused'}")


def source_named(config: Config, name: str) -> str:
    """The id of a source by its name or id."""
    ids = {known: source.id for known, source in config.sources.items()}
    if name in ids:
        return ids[name]
    if name in ids.values():
        return name
    raise UnknownSource(f"no source {name!r}; there are {', '.join(ids)}")
