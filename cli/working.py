"""A worker of Prefect that ends after its runs. By itself it kills them on SIGTERM, and nobody is told.

So it is first put to sleep: it takes no more runs, and those it has started finish, or are told to end when their time
is over, which they report. Then it may go.
"""

import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

import psutil

from dev.interrupts import Flag, setting

LOOK_SECONDS = 0.5


def worked(command: Sequence[str], environ: Mapping[str, str], drain_seconds: float) -> int:
    """Run a worker until it ends by itself, or is told to and its runs have ended; returns its exit code."""
    told = Flag()
    with setting(told):
        worker = subprocess.Popen(command, env=environ)
        while worker.poll() is None and not told.wait(LOOK_SECONDS):
            pass
        if worker.returncode is None:
            _end(psutil.Process(worker.pid), drain_seconds)
        return worker.wait()


def _end(worker: psutil.Process, drain_seconds: float) -> None:
    worker.suspend()
    last = time.monotonic() + drain_seconds
    while _runs(worker) and time.monotonic() < last:
        time.sleep(LOOK_SECONDS)
    for run in _runs(worker):
        with suppress(psutil.NoSuchProcess):
            run.terminate()
    while _runs(worker):
        time.sleep(LOOK_SECONDS)
    worker.resume()
    worker.terminate()


def _runs(worker: psutil.Process) -> list[psutil.Process]:
    """Those that go on: one that has ended stays a zombie while its worker sleeps."""
    return [run for run in worker.children() if _is_alive(run)]


def _is_alive(run: psutil.Process) -> bool:
    try:
        return bool(run.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
