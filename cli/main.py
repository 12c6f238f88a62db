"""The commands. Each says on one line why it cannot do its work, and exits with a code of `cli.exits`."""

import sys
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import typer

from cli.commands import (
    cancel,
    cost,
    deploy,
    doctor,
    down,
    explain,
    land,
    migrate,
    pause,
    preview,
    quarantine,
    request,
    resume,
    retry,
    router,
    schema,
    status,
    up,
    worker,
)
from cli.demo import command as demo
from cli.errors import CommandError
from cli.exits import Exit, ended
from dev.stack import StackError
from router.adapters.http.server import PortTaken
from router.errors import Transient
from schemas.config import ConfigError
from schemas.settings import SettingsError

P = ParamSpec("P")
R = TypeVar("R")

app = typer.Typer(
    help="Files that land become rows in Iceberg, each exactly once.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


def command(function: Callable[P, R]) -> None:
    """Register a command whose expected troubles are one line, not a traceback."""

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except (CommandError, ConfigError, PortTaken, SettingsError, StackError, Transient) as error:
            print(f"autoloader {function.__name__}: {error}", file=sys.stderr)
            raise ended(Exit.TROUBLE) from error

    app.command()(run)


for function in (
    up.up,
    down.down,
    demo.demo,
    router.router,
    worker.worker,
    migrate.migrate,
    deploy.deploy,
    land.land,
    request.request,
    preview.preview,
    retry.retry,
    cancel.cancel,
    pause.pause,
    resume.resume,
    status.status,
    explain.explain,
    cost.cost,
    schema.schema,
    quarantine.quarantine,
    doctor.doctor,
):
    command(function)

if __name__ == "__main__":
    app()
