"""Whoever is told to stop stops, whatever the signal interrupts."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from dev.interrupts import Flag

LOOKING = """
import os, time
from dev.interrupts import Flag, setting
flag = Flag()
with setting(flag):
    print("looking", flush=True)
    last = time.monotonic() + 1
    while time.monotonic() < last:
        flag.wait(0.0001)
        flag.clear()
    os._exit(0)
"""


def test_a_signal_is_taken_whatever_it_interrupts() -> None:
    """The handler of an Event waited for the lock that its own thread held."""
    command, environ = [sys.executable, "-c", LOOKING], {**os.environ, "PYTHONPATH": str(Path.cwd())}
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE) as looking:
        assert looking.stdout is not None
        looking.stdout.readline()
        deadline = time.monotonic() + 30
        while looking.poll() is None and time.monotonic() < deadline:
            looking.terminate()
        looking.kill()

    assert looking.returncode == 0


def test_all_who_wait_are_woken() -> None:
    flag, woken = Flag(), []
    waiting = [threading.Thread(target=lambda: woken.append(flag.wait(60))) for _ in range(3)]
    for thread in waiting:
        thread.start()

    flag.set()

    for thread in waiting:
        thread.join(30)
    assert woken == [True] * 3
    assert flag.is_set()


@pytest.mark.parametrize("is_set", [False, True])
def test_a_flag_that_nobody_sets_or_that_is_forgotten_wakes_nobody(*, is_set: bool) -> None:
    flag = Flag()
    if is_set:
        flag.set()
        flag.clear()

    assert not flag.wait(0.01)
    assert not flag.is_set()
