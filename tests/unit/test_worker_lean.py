"""What Prefect does for each run or worker, made less."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest
from prefect.workers import server as health

from worker.lean import from_the_second_on, patient

WITHIN_SECONDS = 10
WHERE = ContextVar("WHERE", default="nowhere")


class Beats:
    """As Prefect sends them: the first at once, the last before the run ends."""

    def __init__(self) -> None:
        self.begun, self.ended = Event(), Event()
        self.where = ""

    @contextmanager
    def sent(self, _engine: object, *, join_on_exit: bool) -> Iterator[None]:
        assert not join_on_exit
        self.where = WHERE.get()
        self.begun.set()
        yield
        self.ended.set()


def run(seconds: float | None, beats: Beats, within: Callable[[], object]) -> None:
    engine: Any = SimpleNamespace(heartbeat_seconds=seconds)
    with from_the_second_on(beats.sent, engine):
        within()


def test_a_run_that_ends_before_its_second_heartbeat_sends_none() -> None:
    beats = Beats()

    run(0.05, beats, lambda: None)

    assert not beats.begun.wait(0.2)


def test_a_run_that_lasts_sends_them_from_then_on_until_it_ends() -> None:
    beats = Beats()
    WHERE.set("in the run")

    run(0.01, beats, lambda: beats.begun.wait(WITHIN_SECONDS))

    assert beats.where == "in the run"  # Prefect looks up its settings there
    assert beats.ended.is_set()


def test_who_wants_no_heartbeats_gets_none() -> None:
    beats = Beats()

    run(None, beats, lambda: None)

    assert not beats.begun.is_set()


async def test_a_worker_tells_of_its_health_and_looks_once_a_second_whether_to_exit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PREFECT_WORKER_WEBSERVER_PORT", "0")
    server = patient(health._build_healthcheck_server, lambda: True)
    ticks = 0

    async def counted(seconds: float) -> None:
        nonlocal ticks
        ticks += 1
        assert seconds == 1
        server.should_exit = ticks == 3
        await at_once(0)

    at_once = asyncio.sleep
    monkeypatch.setattr(asyncio, "sleep", counted)
    await server.main_loop()

    assert ticks == 3


def test_a_worker_tells_which_collections_it_has_and_imports_none() -> None:
    program = """
import asyncio, sys
from prefect.workers.process import ProcessWorker
from worker.lean import make_lean
make_lean()
told = asyncio.run(ProcessWorker(work_pool_name="a-pool")._worker_metadata())
assert [each.name for each in told.integrations] == ["prefect-kubernetes"], told
assert "prefect_kubernetes" not in sys.modules
"""
    # Of a server that nobody asks: without one Prefect would start its own.
    environment = {**os.environ, "PREFECT_API_URL": "http://127.0.0.1:9/api", "PREFECT_LOGGING_TO_API_ENABLED": "false"}

    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
