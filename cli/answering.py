"""What `request`, `preview`, `retry` and `cancel` share: an event is sent, and its answer shown."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from cli import environment
from cli.asking import ask, asked_event
from cli.errors import CommandError
from cli.exits import Exit, ended
from schemas.completions import RequestCompletion
from schemas.events.requests import Asked
from schemas.report import Preview

Wait = Annotated[float, typer.Option("--wait", help="Seconds to wait for the answer; 0: do not wait.")]
Name = Annotated[str | None, typer.Option("--id", help="The request's id; the same id again asks for nothing new.")]
AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]
Targets = Annotated[list[str], typer.Argument(help="URIs of files, or the id of one batch or one request.")]


def targets(what: Sequence[str]) -> Mapping[str, object]:
    """What a retry or cancel names, by the key of its event."""
    if all("://" in one for one in what):
        return {"files": tuple(what)}
    if len(what) > 1:
        raise CommandError("name files by their URIs, or one batch, or one request")
    return {"batch" if what[0].startswith("b-") else "request": what[0]}


def checked(made: Callable[[], Asked]) -> Asked:
    """What is asked for; CommandError when the model refuses it."""
    try:
        return made()
    except ValidationError as error:
        lines = [one["msg"].removeprefix("Value error, ") for one in error.errors()]
        raise CommandError("; ".join(lines)) from error


def answered(asked: Asked, request_id: str | None, wait: float, *, as_json: bool) -> None:
    """Ask, show the answer, and exit with a code that tells it."""
    event = asked_event(asked, request_id)
    answer = ask(environment.environment(), event, wait_seconds=wait)
    if answer is None:
        later = f"request {event.id} is on its way: autoloader explain {event.id}"
        print(json.dumps({"request": event.id}) if as_json else later)
        raise ended(Exit.WAITING if wait else Exit.DONE)
    if as_json:
        print(answer.model_dump_json())
    else:
        _show(answer)
    raise ended(Exit.DONE if answer.outcome in {"loaded", "previewed", "done"} else Exit.NEEDS_A_PERSON)


def _show(answer: RequestCompletion) -> None:
    print(f"request {answer.request}: {answer.outcome}" + (f", {answer.reason}" if answer.reason else ""))
    if answer.preview is not None and answer.preview.columns:
        Console().print(_table(answer.preview))
        print("\n".join(_would_do(answer.preview)))
    counts = answer.counts
    if counts.files:
        print(
            f"{counts.files} files: {counts.files_loaded} loaded ({counts.rows} rows), "
            f"{counts.files_already_loaded} loaded before, {counts.files_not_loaded} not loaded"
        )
    for file in answer.files:
        if file.outcome not in {"loaded", "already-loaded"}:
            print(f"  {file.outcome:<12} {file.uri}" + (f": {file.reason}" if file.reason else ""))


def _would_do(preview: Preview) -> list[str]:
    """What a load of the file would do beside what is shown."""
    said = {"create": "makes the table with", "add": "adds", "widen": "widens"}
    lines = [f"{preview.records} records are in the file"] if preview.records is not None else []
    if preview.estimated:
        lines = [f"about {preview.records} records are in the file; what is said here is said of the first ones"]
    for op, words in said.items():
        if changed := [f"{one.column} {one.type}" for one in preview.schema_changes if one.op == op]:
            lines.append(f"a load {words} {', '.join(changed)}")
    if preview.rows_bad:
        lines.append(f"it refuses {preview.rows_bad} of them" + (", and so the file" if preview.set_aside else ""))
    return [*lines, *(f"  {one}" for one in preview.bad)]


def _table(preview: Preview) -> Table:
    table = Table(*(f"{column.name}\n[dim]{column.type}[/dim]" for column in preview.columns))
    for row in preview.rows:
        table.add_row(*("" if value is None else value for value in row))
    if preview.truncated:
        table.caption = "there is more than is shown"
    return table
