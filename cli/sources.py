"""Find a source of the configuration by what a person calls it."""

from typing import Annotated

import typer

from cli.errors import CommandError
from schemas.config import Config
from schemas.config.sources import NamedSource

Source = Annotated[str, typer.Argument(help="The source, by its name or its id.")]


def named(config: Config, source: str) -> NamedSource:
    """The source of this name or id; CommandError when there is none."""
    found = config.named_sources.get(source)
    if found is None:
        raise CommandError(f"no source {source!r}; there are {', '.join(config.sources)}")
    return found
