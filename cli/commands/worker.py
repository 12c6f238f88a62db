"""`autoloader worker`: Prefect's worker of a lane, which does not end before its runs."""

import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Annotated

import typer

from cli import environment
from cli.exits import Exit, ended
from cli.working import worked
from schemas.config.lanes import Lane, PoolType
from schemas.connections import PrefectConnection, prefect_connection

# The pool is made by `deploy`: a worker that made it would make it without our template.
PREFECT = (sys.executable, "-m", "prefect", "worker", "start", "--with-healthcheck", "--no-create-pool-if-not-found")


def worker(
    lane: Annotated[Lane, typer.Argument(help="Whose runs it takes.")],
    *,
    type_: Annotated[PoolType, typer.Option("--type", help="As the lane's pool.")] = "process",
    limit: Annotated[int, typer.Option(help="The most runs at once: `slots_per_worker`.")] = 2,
    drain: Annotated[float, typer.Option(help="Seconds that runs get to finish after SIGTERM.")] = 90,
    name: Annotated[str, typer.Option(help="What Prefect calls it; left out, a name that nobody has.")] = "",
) -> None:
    """Run a worker of LANE until SIGTERM. Runs that have begun finish, or are told to end and loaded by others."""
    environ = environment.environment()
    prefect = prefect_connection(environ)
    prefect.trust.context()  # without an address Prefect's own program would start a server
    pool = ("--pool", f"autoloader-{lane}", "--type", type_, "--limit", str(limit), "--install-policy", "never")
    named = ("--name", name) if name else ()
    with _tidied(prefect, environ) if type_ == "kubernetes" else nullcontext():
        code = worked((*PREFECT, *pool, *named), environ, drain)
    if code != 0:
        raise ended(Exit.TROUBLE)


def _tidied(prefect: PrefectConnection, environ: Mapping[str, str]) -> AbstractContextManager[None]:
    from cli.reaping import reaping  # noqa: PLC0415 - seconds, which other commands need not wait for

    return reaping(prefect, environ)
