"""`autoloader preview`: look at the first rows of a file."""

from typing import Annotated

import typer

from cli.answering import AsJson, Name, Wait, answered, checked
from cli.sources import Source
from schemas.events.requests import PreviewAsked


def preview(
    source: Source,
    file: Annotated[str, typer.Argument(help="The file's URI.")],
    *,
    rows: Annotated[int, typer.Option(help="Show so many rows at most.")] = 20,
    request_id: Name = None,
    wait: Wait = 120,
    as_json: AsJson = False,
) -> None:
    """Show the first rows of a file as a load of SOURCE would read them. Nothing is loaded."""
    answered(checked(lambda: PreviewAsked(source=source, file=file, rows=rows)), request_id, wait, as_json=as_json)
