"""The commands. Each says on one line what is wrong when it cannot do its work, and exits with 1 (2: wrong use)."""

import sys
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import typer

from cli.commands import deploy, doctor, explain, land, pause, request, router, stack, status
from cli.commands.land import LandError
from cli.commands.request import AskingError
from cli.demo import command as demo
from dev.stack import StackError
from router.adapters.http.server import PortTaken
from router.errors import Transient
from router.settings import SettingsError
from schemas.config import ConfigError

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
        except (AskingError, ConfigError, LandError, PortTaken, SettingsError, StackError, Transient) as error:
            print(f"autoloader {function.__name__}: {error}", file=sys.stderr)
            raise typer.Exit(1) from error

    app.command()(run)


for function in (
    stack.up,
    stack.down,
    demo.demo,
    router.router,
    deploy.deploy,
    land.land,
    request.request,
    request.preview,
    request.retry,
    request.cancel,
    pause.pause,
    pause.resume,
    status.status,
    explain.explain,
    doctor.doctor,
):
    command(function)

if __name__ == "__main__":
    app()
