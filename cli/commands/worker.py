"""`autoloader worker`: Prefect's worker of a lane, which does not end before its runs."""

import os
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Annotated

import typer
from pydantic import ByteSize, TypeAdapter, ValidationError

from cli import environment
from cli.errors import CommandError
from cli.exits import Exit, ended
from cli.working import worked
from schemas.config.lanes import Lane
from schemas.config.pools import PoolType
from schemas.connections import PrefectConnection, prefect_connection
from worker.ahead import LEAN, ONE_THREAD

# The pool is made by `deploy`: a worker that made it would make it without our template.
PREFECT = (
    *(sys.executable, "-m", "prefect", "worker", "start", "--install-policy", "never"),
    *("--with-healthcheck", "--no-create-pool-if-not-found"),
)


def worker(
    lane: Annotated[Lane, typer.Argument(help="Whose runs it takes.")],
    *,
    type_: Annotated[PoolType, typer.Option("--type", help="As the lane's pool.")] = "process",
    limit: Annotated[int, typer.Option(help="The most runs at once: `slots_per_worker`.")] = 2,
    drain: Annotated[float, typer.Option(help="Seconds that runs get to finish after SIGTERM.")] = 90,
    memory: Annotated[str, typer.Option(help="What a run's process may take, 600MiB; left out, what there is.")] = "",
    name: Annotated[str, typer.Option(help="What Prefect calls it; left out, a name that nobody has.")] = "",
) -> None:
    """Run a worker of LANE until SIGTERM. Runs that have begun finish, or are told to end and loaded by others."""
    environ = environment.environment()
    prefect = prefect_connection(environ)
    prefect.trust.context()  # without an address Prefect's own program would start a server
    if type_ == "process":
        _in_its_place(environ, (lane, str(limit), str(drain), str(_bytes(memory)), name))
    else:
        _check_package(type_)
        named = ("--name", name) if name else ()
        options = ("--type", type_, "--pool", f"autoloader-{lane}", "--limit", str(limit), *named)
        with _reaping(prefect, environ) if type_ == "kubernetes" else nullcontext():
            code = worked((*PREFECT, *options), environ, drain)
        if code != 0:
            raise ended(Exit.TROUBLE)


def _check_package(type_: PoolType) -> None:
    from flows.infrastructure.containers import lacking  # noqa: PLC0415 - imports Prefect, which others need not

    if said := lacking(type_):
        raise CommandError(f"a worker of type {type_} {said}")


def _bytes(memory: str) -> int:
    try:
        return TypeAdapter(ByteSize).validate_python(memory or 0)
    except ValidationError as error:
        raise typer.BadParameter(f"--memory {memory}: write a number and MiB or GiB") from error


def _in_its_place(environ: Mapping[str, str], options: tuple[str, ...]) -> None:
    """Become the warm worker: what it forks must have one thread, which is decided before Python starts."""
    program = (sys.executable, "-m", "worker", *options)
    os.execve(sys.executable, program, {**LEAN, **environ, **ONE_THREAD})  # noqa: S606 - a program of ours, with no shell


def _reaping(prefect: PrefectConnection, environ: Mapping[str, str]) -> AbstractContextManager[None]:
    from cli.reaping import reaping  # noqa: PLC0415 - seconds, which other commands need not wait for

    return reaping(prefect, environ)
