"""`autoloader request`: load files now."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from pydantic import TypeAdapter, ValidationError

from cli.answering import AsJson, Name, Wait, answered, checked
from cli.errors import CommandError
from cli.sources import Source
from schemas.config.values import Duration
from schemas.events.requests import LoadAsked


def request(
    source: Source,
    files: Annotated[list[str] | None, typer.Argument(help="URIs of files.")] = None,
    *,
    prefix: Annotated[str | None, typer.Option(help="All files below this URI, which ends with a slash.")] = None,
    again: Annotated[bool, typer.Option("--reload", help="Also what is loaded already: its rows once more.")] = False,
    deadline: Annotated[str | None, typer.Option(help="Give up what still waits after this time: 10m, 1h.")] = None,
    request_id: Name = None,
    wait: Wait = 600,
    as_json: AsJson = False,
) -> None:
    """Load files of SOURCE now, before what waits, and say how that ended."""
    asked = checked(
        lambda: LoadAsked(
            source=source,
            files=tuple(files or ()),
            prefix=prefix,
            if_loaded="reload" if again else "skip",
            deadline=None if deadline is None else datetime.now(UTC) + _span(deadline),
        )
    )
    answered(asked, request_id, wait, as_json=as_json)


def _span(text: str) -> timedelta:
    try:
        span: timedelta = TypeAdapter(Duration).validate_python(text)
    except ValidationError as error:
        raise CommandError(f"--deadline {text}: {error.errors()[0]['msg'].removeprefix('Value error, ')}") from error
    return span
