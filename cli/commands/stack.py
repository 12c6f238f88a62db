"""`autoloader up` and `autoloader down`: the local stack."""

import os
from typing import Annotated

import typer

from cli import environment
from dev.stack import Stack


def local_stack() -> Stack:
    """The stack below the data folder, telling its progress on the terminal."""
    return Stack(environment.home(), environment.config_path(os.environ).resolve(), progress=print)


def checked_stack() -> Stack:
    """The same, once its configuration is known to be good: before anything is downloaded or started."""
    environment.config({"AUTOLOADER_HOME": str(environment.home()), **os.environ})
    return local_stack()


def up(
    *,
    detach: Annotated[
        bool, typer.Option("--detach", help="Come back once all is ready; nothing watches then.")
    ] = False,
) -> None:
    """Start PostgreSQL, Kafka, Prefect, Spark, the workers and the router here, and watch over them until Ctrl-C."""
    stack = checked_stack()
    stack.up()
    print(f"ready: Prefect at {stack.settings()['PREFECT_API_URL'].removesuffix('/api')}; `autoloader down` stops it")
    if not detach:
        stack.supervise()


def down() -> None:
    """Stop everything that `up` started here. The data stays."""
    local_stack().down()
