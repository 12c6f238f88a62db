"""A worker that kills its runs on SIGTERM, as Prefect's does, played by real processes: here they end before it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

# Starts a run that goes on until {seconds} are over or SIGTERM comes, whatever becomes of its worker.
RUN = """
import pathlib, signal, sys, time
def told(*_):
    pathlib.Path("run").write_text("told to end")
    sys.exit(0)
signal.signal(signal.SIGTERM, told)
pathlib.Path("run").write_text("begun")
time.sleep({seconds})
pathlib.Path("run").write_text("finished")
"""
WORKER = f"""
import signal, subprocess, sys, time
run = subprocess.Popen([sys.executable, "-c", {RUN!r}.replace("{{seconds}}", sys.argv[1])])
def end(*_):
    run.kill()
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
time.sleep(float(sys.argv[2]))
sys.exit(3)
"""
OURS = """
import os, sys
from cli.working import worked
sys.exit(worked([sys.executable, *sys.argv[2:]], os.environ, float(sys.argv[1])))
"""


def started(folder: Path, *, drain: float, run: float, worker: float) -> subprocess.Popen[bytes]:
    """Our process, around a worker that lives so long by itself, with a run that takes so long."""
    (folder / "worker.py").write_text(WORKER)
    command = [sys.executable, "-c", OURS, str(drain), "worker.py", str(run), str(worker)]
    ours = subprocess.Popen(command, cwd=folder, env={**os.environ, "PYTHONPATH": str(Path.cwd())})
    deadline = time.monotonic() + 30
    while not (folder / "run").exists() and time.monotonic() < deadline:
        assert ours.poll() is None
    return ours


@pytest.mark.parametrize(
    ("drain", "run", "told"), [(30, 1, "finished"), (0.5, 600, "told to end")], ids=["short", "long"]
)
def test_a_run_finishes_or_is_told_to_end_before_its_worker_is_gone(
    tmp_path: Path, drain: float, run: float, told: str
) -> None:
    ours = started(tmp_path, drain=drain, run=run, worker=600)

    ours.send_signal(signal.SIGTERM)

    assert ours.wait(30) == 0
    assert (tmp_path / "run").read_text() == told


def test_a_worker_that_ends_by_itself_is_reported(tmp_path: Path) -> None:
    ours = started(tmp_path, drain=30, run=2, worker=1)

    assert ours.wait(30) == 3
