"""`autoloader worker`: Prefect's worker of a lane, which does not end before its runs."""

import sys
from typing import Annotated

import typer

from cli import environment
from cli.exits import Exit, ended
from cli.working import worked
from schemas.config.lanes import Lane, PoolType
from schemas.connections import prefect_connection

# The pool is made by `deploy`: a worker that made it would make it without our template.
PREFECT = (sys.executable, "-m", "prefect", "worker", "start", "--with-healthcheck", "--no-create-pool-if-not-found")


def worker(
    lane: Annotated[Lane, typer.Argument(help="Whose runs it takes.")],
    *,
    type_: Annotated[PoolType, typer.Option("--type", help="As the lane's pool.")] = "process",
    limit: Annotated[int, typer.Option(help="The most runs at once: `slots_per_worker`.")] = 2,
    drain: Annotated[float, typer.Option(help="Seconds that runs get to finish after SIGTERM.")] = 90,
) -> None:
    """Run a worker of LANE until SIGTERM. Runs that have begun finish, or are told to end and loaded by others."""
    environ = environment.environment()
    prefect_connection(environ).trust.context()  # without an address Prefect's own program would start a server
    pool = ("--pool", f"autoloader-{lane}", "--type", type_, "--limit", str(limit), "--install-policy", "never")
    if worked((*PREFECT, *pool), environ, drain) != 0:
        raise ended(Exit.TROUBLE)
