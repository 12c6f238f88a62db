"""`autoloader up`: start the local stack."""

from typing import Annotated

import typer

from cli.stack import checked_stack


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
