"""`autoloader request`, `preview`, `retry` and `cancel`: what a producer asks by an event, asked from a terminal."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from pydantic import TypeAdapter, ValidationError
from rich.console import Console
from rich.table import Table

from cli import environment
from cli.asking import ask, asked_event
from schemas.completions import RequestCompletion, RequestOutcome
from schemas.config.values import Duration
from schemas.events.requests import Asked, CancelAsked, LoadAsked, PreviewAsked, RetryAsked
from schemas.report import Preview

EXIT_CODES: Mapping[RequestOutcome, int] = {"loaded": 0, "previewed": 0, "done": 0}
UNANSWERED, NEEDS_A_PERSON = 3, 4

Wait = Annotated[float, typer.Option("--wait", help="Seconds to wait for the answer; 0: do not wait.")]
Name = Annotated[str | None, typer.Option("--id", help="The request's id; the same id again asks for nothing new.")]
AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]
Targets = Annotated[list[str], typer.Argument(help="URIs of files, or the id of one batch or one request.")]


class AskingError(Exception):
    """It cannot be asked so: what is wrong, and what to write."""


def request(
    source: str,
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
    asked = _checked(
        lambda: LoadAsked(
            source=source,
            files=tuple(files or ()),
            prefix=prefix,
            if_loaded="reload" if again else "skip",
            deadline=None if deadline is None else datetime.now(UTC) + _span(deadline),
        )
    )
    _answer(asked, request_id, wait, as_json=as_json)


def preview(
    source: str,
    file: Annotated[str, typer.Argument(help="The file's URI.")],
    *,
    rows: int = 20,
    request_id: Name = None,
    wait: Wait = 120,
    as_json: AsJson = False,
) -> None:
    """Show the first rows of a file as a load of SOURCE would read them. Nothing is loaded."""
    _answer(_checked(lambda: PreviewAsked(source=source, file=file, rows=rows)), request_id, wait, as_json=as_json)


def retry(what: Targets, *, request_id: Name = None, wait: Wait = 600, as_json: AsJson = False) -> None:
    """Load again what failed, was quarantined or missing."""
    _answer(_checked(lambda: RetryAsked.model_validate(_targets(what))), request_id, wait, as_json=as_json)


def cancel(what: Targets, *, request_id: Name = None, wait: Wait = 600, as_json: AsJson = False) -> None:
    """Give up what is not in the table yet: files that wait, a batch in flight, or what a request asked for."""
    _answer(_checked(lambda: CancelAsked.model_validate(_targets(what))), request_id, wait, as_json=as_json)


def _targets(what: Sequence[str]) -> Mapping[str, object]:
    if all("://" in one for one in what):
        return {"files": tuple(what)}
    if len(what) > 1:
        raise AskingError("name files by their URIs, or one batch, or one request")
    return {"batch" if what[0].startswith("b-") else "request": what[0]}


def _checked(made: Callable[[], Asked]) -> Asked:
    try:
        return made()
    except ValidationError as error:
        lines = [one["msg"].removeprefix("Value error, ") for one in error.errors()]
        raise AskingError("; ".join(lines)) from error


def _span(text: str) -> timedelta:
    try:
        span: timedelta = TypeAdapter(Duration).validate_python(text)
    except ValidationError as error:
        raise AskingError(f"--deadline {text}: {error.errors()[0]['msg'].removeprefix('Value error, ')}") from error
    return span


def _answer(asked: Asked, request_id: str | None, wait: float, *, as_json: bool) -> None:
    event = asked_event(asked, request_id)
    answer = ask(environment.environment(), event, wait_seconds=wait)
    if answer is None:
        later = f"request {event.id} is on its way: autoloader explain {event.id}"
        print(json.dumps({"request": event.id}) if as_json else later)
        raise typer.Exit(UNANSWERED if wait else 0)
    if as_json:
        print(answer.model_dump_json())
    else:
        _show(answer)
    raise typer.Exit(EXIT_CODES.get(answer.outcome, NEEDS_A_PERSON))


def _show(answer: RequestCompletion) -> None:
    print(f"request {answer.request}: {answer.outcome}" + (f", {answer.reason}" if answer.reason else ""))
    if answer.preview is not None and answer.preview.columns:
        Console().print(_table(answer.preview))
    counts = answer.counts
    if counts.files:
        print(
            f"{counts.files} files: {counts.files_loaded} loaded ({counts.rows} rows), "
            f"{counts.files_already_loaded} loaded before, {counts.files_not_loaded} not loaded"
        )
    for file in answer.files:
        if file.outcome not in {"loaded", "already-loaded"}:
            print(f"  {file.outcome:<12} {file.uri}" + (f": {file.reason}" if file.reason else ""))


def _table(preview: Preview) -> Table:
    table = Table(*(f"{column.name}\n[dim]{column.type}[/dim]" for column in preview.columns))
    for row in preview.rows:
        table.add_row(*("" if value is None else value for value in row))
    if preview.truncated:
        table.caption = "there is more than is shown"
    return table
