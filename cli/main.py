"""The commands. Each says on one line why it cannot do its work, and exits with a code of `cli.exits`."""

import importlib
import sys
from collections.abc import Callable, Sequence
from functools import wraps
from typing import ParamSpec, TypeVar

import typer

from cli.errors import CommandError
from cli.exits import Exit, ended
from dev.errors import StackError
from router.errors import Transient
from schemas.config import ConfigError
from schemas.settings import SettingsError

P = ParamSpec("P")
R = TypeVar("R")

# In the order in which help lists them; each is a module of `cli.commands` and a function in it.
COMMANDS = (
    *("up", "down", "demo", "router", "worker", "migrate", "deploy"),
    *("land", "request", "preview", "retry", "cancel", "pause", "resume"),
    *("status", "explain", "cost", "schema", "quarantine", "doctor"),
)

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)


@app.callback()
def autoloader() -> None:
    """Files that land become rows in Iceberg, each exactly once."""


def command(function: Callable[P, R]) -> None:
    """Register a command whose expected troubles are one line, not a traceback."""

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except (CommandError, ConfigError, SettingsError, StackError, Transient) as error:
            print(f"autoloader {function.__name__}: {error}", file=sys.stderr)
            raise ended(Exit.TROUBLE) from error

    app.command()(run)


def wanted(arguments: Sequence[str]) -> Sequence[str]:
    """The command that is called, so that it waits for nothing that only others import; all where none is."""
    return arguments[:1] if arguments and arguments[0] in COMMANDS else COMMANDS


for name in wanted(sys.argv[1:]):
    command(getattr(importlib.import_module(f"cli.commands.{name}"), name))

if __name__ == "__main__":
    app()
