"""What Prefect does for each run or worker, at a cost, that nobody here needs, or that can be done once for all.

It is replaced by name, in this program alone and before it forks. Where a name is gone, Prefect does as it likes: only
the time is lost.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from contextvars import copy_context
from functools import cache, partial
from importlib.metadata import entry_points
from threading import Timer
from types import ModuleType
from typing import Any

import pydantic
import uvicorn
from prefect import flow_engine
from prefect.client import orchestration
from prefect.logging import get_logger
from prefect.workers import base
from prefect.workers import server as health


class SharedContexts(ModuleType):
    """Python's `ssl`, but a context with the same CAs is made once: it takes 26 ms, for http too."""

    create_default_context = staticmethod(cache(ssl.create_default_context))

    def __getattr__(self, name: str) -> Any:
        return getattr(ssl, name)


@contextmanager
def from_the_second_on(theirs: Callable[..., Any], engine: Any) -> Iterator[None]:
    """Prefect's heartbeats of a run, but for the first: it opens a websocket, and a short run needs none."""
    if (seconds := engine.heartbeat_seconds) is None:
        yield
        return
    beating = ExitStack()
    # Its thread sleeps by the second, and the engine would wait for it.
    beats = theirs(engine, join_on_exit=False)
    first = Timer(seconds, copy_context().run, (beating.enter_context, beats))
    first.daemon = True
    first.start()
    try:
        yield
    finally:
        first.cancel()
        first.join()
        beating.close()


def collections_by_name() -> dict[str, None]:
    """Prefect's collections that are installed, not imported: that of Kubernetes is a thousand modules, 50 MB."""
    return dict.fromkeys(entry_points(group="prefect.collections").names)


def patient(theirs: Callable[..., uvicorn.Server], *told: Any) -> uvicorn.Server:
    """Prefect's server of a worker's health, which looks once a second whether it is to exit, not ten times."""
    server = theirs(*told)

    async def main_loop() -> None:
        while not await server.on_tick(0):  # noqa: ASYNC110 - a flag of another thread
            await asyncio.sleep(1)

    server.main_loop = main_loop  # type: ignore[method-assign]  # of this one alone
    return server


REPLACED: dict[tuple[ModuleType, str], Callable[[Any], Any]] = {
    # A websocket, 150 ms, by which a run learns that a person suspends it. A load cannot be: it is cancelled.
    (flow_engine, "observe_flow_run_suspension"): lambda _theirs: lambda *_: nullcontext(),
    (flow_engine, "_send_heartbeats"): lambda theirs: partial(from_the_second_on, theirs),
    # What a worker says of itself, and this one has all it needs of Prefect imported.
    (base, "load_prefect_collections"): lambda _theirs: collections_by_name,
    (health, "_build_healthcheck_server"): lambda theirs: partial(patient, theirs),
    (orchestration, "ssl"): lambda _theirs: SharedContexts("ssl"),
}


def make_lean() -> None:
    """Replace them, as far as they are there, and do what the first run would have to."""
    for (module, name), ours in REPLACED.items():
        if (theirs := getattr(module, name, None)) is not None:
            setattr(module, name, ours(theirs))
    for model in _models(pydantic.BaseModel):
        if not model.__pydantic_complete__:
            model.model_rebuild(raise_errors=False)
    orchestration.get_client(sync_client=True)  # its context is the one of all later clients
    get_logger("workers.process").info("everything is imported")  # the first line on a console takes 33 ms


def _models(base: type[pydantic.BaseModel]) -> Iterator[type[pydantic.BaseModel]]:
    for model in base.__subclasses__():
        yield model
        yield from _models(model)
