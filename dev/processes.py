"""Processes that outlive the one which started them: begin, find again, end with all their children.

A part is known by its pid **and** the time that process was created, so a recycled pid is never hit.
Its descendants are found by a mark in their environment, because some (Prefect's flow runs) leave the
session of their parent.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import psutil

from dev.home import write_private

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

MARK = "AUTOLOADER_STACK_PART"

_POLL_SECONDS = 0.03
_LAST_GRACE_SECONDS = 5.0
# A creation time is counted from the boot time, which a corrected clock moves a little.
_SAME_TIME_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class PidFile:
    """`run/<part>.json`. It stays when the part dies and goes when the part is stopped: it says what *should* run."""

    path: Path

    def write(self, process: psutil.Process, command: Sequence[str]) -> None:
        entry = {"pid": process.pid, "created": process.create_time(), "command": list(command)}
        write_private(self.path, json.dumps(entry) + "\n")

    def exists(self) -> bool:
        return self.path.exists()

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)

    def process(self) -> psutil.Process | None:
        """The process written here if it still runs; None if it is gone or its pid belongs to another now."""
        entry = self._entry()
        if entry is None:
            return None
        try:
            process = psutil.Process(entry[0])
            same = abs(process.create_time() - entry[1]) < _SAME_TIME_SECONDS
        except psutil.Error:
            return None
        return process if same and alive(process) else None

    def session(self) -> list[psutil.Process]:
        """Live members of the session which the written process leads, or led before it died."""
        entry = self._entry()
        if entry is None or (psutil.pid_exists(entry[0]) and self.process() is None and not _is_zombie(entry[0])):
            return []
        return [process for process in psutil.process_iter() if _session_id(process.pid) == entry[0] and alive(process)]

    def _entry(self) -> tuple[int, float] | None:
        try:
            entry = json.loads(self.path.read_text())
            return int(entry["pid"]), float(entry["created"])
        except (OSError, ValueError, KeyError, TypeError):
            return None


def spawn(
    command: Sequence[str], *, log: Path, environment: Mapping[str, str], folder: Path
) -> subprocess.Popen[bytes]:
    """Start a program in a session of its own, its output appended to the log.

    SIGINT must be at its default here, or must have a handler: a program that inherits "ignored" may never
    stop (Prefect's workers do not).
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        output.write(f"\n--- {datetime.now(UTC):%Y-%m-%d %H:%M:%S} {command[0]}\n".encode())
        output.flush()
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            cwd=folder,
            start_new_session=True,
        )


def alive(process: psutil.Process) -> bool:
    """Running, and not a zombie (which only waits for its parent to look).

    A JVM that ends is a zombie with threads for a while: it still holds its files and ports then.
    """
    try:
        return process.is_running() and (process.status() != psutil.STATUS_ZOMBIE or process.num_threads() > 1)
    except psutil.Error:
        return False


def marked(mark: str) -> list[psutil.Process]:
    """Live processes that carry this mark, wherever they moved; `mark` may also be the end of one."""
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get(MARK, "").endswith(mark) and alive(process):
                found.append(process)
    return found


def gone(processes: Iterable[psutil.Process], *, within_seconds: float) -> bool:
    """Wait until all have ended; False when time is up."""
    waiting = list(processes)
    deadline = time.monotonic() + within_seconds
    while waiting := [process for process in waiting if alive(process)]:
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def send(processes: Iterable[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.send_signal(number)


def end(processes: Sequence[psutil.Process]) -> None:
    """End them for certain: ask, wait a little, then SIGKILL."""
    send(processes, signal.SIGTERM)
    if not gone(processes, within_seconds=_LAST_GRACE_SECONDS):
        send(processes, signal.SIGKILL)
        gone(processes, within_seconds=_LAST_GRACE_SECONDS)


def kill_group(leader: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)


def _session_id(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except OSError:
        return None


def _is_zombie(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
