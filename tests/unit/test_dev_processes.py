"""Processes of the local stack are found again, and only they."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from dev.processes import MARK, PidFile, alive, end, gone, marked, spawn

SLEEPER = [sys.executable, "-c", "import time; time.sleep(600)"]
# A parent whose child leaves its session, as Prefect's flow runs do.
DESERTER = """
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
print("ready", flush=True)
time.sleep(600)
"""


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    child = spawn(SLEEPER, log=tmp_path / "log", environment=dict(os.environ), folder=tmp_path)
    yield child
    child.kill()
    child.wait()


def test_a_pid_file_leads_back_to_its_process(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    file = PidFile(tmp_path / "run" / "part.json")
    file.write(psutil.Process(sleeper.pid), SLEEPER)

    process = file.process()

    assert process is not None
    assert process.pid == sleeper.pid
    assert [member.pid for member in file.session()] == [sleeper.pid]


def test_a_recycled_pid_is_not_ours(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    created = psutil.Process(sleeper.pid).create_time()
    file = PidFile(tmp_path / "part.json")
    file.path.write_text(json.dumps({"pid": sleeper.pid, "created": created - 3600}))

    assert file.process() is None
    assert file.session() == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": "x", "created": 1}'])
def test_a_damaged_pid_file_leads_nowhere(tmp_path: Path, text: str) -> None:
    file = PidFile(tmp_path / "part.json")
    file.path.write_text(text)

    assert file.process() is None
    assert file.session() == []


def test_a_dead_child_that_nobody_waited_for_is_not_alive(sleeper: subprocess.Popen[bytes]) -> None:
    process = psutil.Process(sleeper.pid)

    sleeper.send_signal(signal.SIGKILL)

    assert gone([process], within_seconds=10)
    assert process.status() == psutil.STATUS_ZOMBIE
    assert not alive(process)


def test_a_child_that_left_the_session_is_found_by_its_mark_and_ended(tmp_path: Path) -> None:
    mark = f"part@{tmp_path}"
    parent = spawn(
        [sys.executable, "-c", DESERTER],
        log=tmp_path / "log",
        environment={**os.environ, MARK: mark},
        folder=tmp_path,
    )
    while "ready" not in (tmp_path / "log").read_text():
        assert parent.poll() is None
    sessions = {os.getsid(process.pid) for process in marked(mark)}

    end(marked(mark))

    assert len(sessions) == 2
    assert marked(mark) == []
    parent.wait()


def test_a_program_starts_with_its_input_closed_and_its_output_in_the_log(tmp_path: Path) -> None:
    read_and_tell = [sys.executable, "-c", "import sys; print('read', repr(sys.stdin.read()))"]

    child = spawn(read_and_tell, log=tmp_path / "deep" / "log", environment=dict(os.environ), folder=tmp_path)

    assert child.wait() == 0
    assert "read ''" in (tmp_path / "deep" / "log").read_text()
