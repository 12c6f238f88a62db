"""Bring one part up, take one part down."""

from __future__ import annotations

import contextlib
import subprocess
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import psutil

from dev.errors import Cancelled, StackError
from dev.logs import last_words, size
from dev.parts import Service
from dev.processes import MARK, PidFile, end, gone, kill_group, marked, send, spawn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from dev.home import Home
    from dev.interrupts import Flag
    from dev.parts import Part, RunOnce

_POLL_SECONDS = 0.05
_ASK_SECONDS = 0.2  # a part that starts has better things to do than to answer
_GRACE_OF_A_FAILED_START_SECONDS = 3.0


@dataclass(slots=True)
class Launcher:
    """Starts and stops parts of one home. Different parts may be started from different threads."""

    home: Home
    folder: Path
    environment: Mapping[str, str]
    cancelled: Flag
    progress: Callable[[str], None]
    # Children of ours must be waited for: else they stay as zombies.
    _children: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def pid_file(self, name: str) -> PidFile:
        return PidFile(self.home.run / f"{name}.json")

    def start(self, part: Part, *, silently: bool = False) -> None:
        """Returns when the part is ready. Raises StackError, and then leaves nothing of the part behind."""
        began = time.monotonic()
        run_once = _OneOffs(self, part.name)
        outcome = self._start_service(part, run_once) if isinstance(part, Service) else part.run(run_once)
        if outcome and not silently:
            self.tell(part.name, f"{outcome} in {time.monotonic() - began:.1f} s")

    def stop(self, part: Service, *, within_seconds: float | None = None) -> None:
        """End the part and all that came from it, politely first. Does nothing when it does not run."""
        file = self.pid_file(part.name)
        leader, members = file.process(), file.session()
        if leader is not None:
            send([leader], part.stop_signal)
            gone([leader], within_seconds=part.stop_seconds if within_seconds is None else within_seconds)
        end([*members, *file.session(), *marked(self.mark(part.name))])
        self._reap(part.name)
        file.remove()

    def kill(self, name: str) -> None:
        """SIGKILL to the part's process group. Its pid file stays, so a supervisor restarts it."""
        file = self.pid_file(name)
        leader, members = file.process(), file.session()
        if leader is not None:
            kill_group(leader.pid)
            gone([leader, *members], within_seconds=10)
            self._reap(name)
            self.tell(name, f"killed (pid {leader.pid})")

    def exit_code(self, name: str) -> int | None:
        """How the part ended, if it was a child of ours and did end."""
        child = self._children.get(name)
        return None if child is None else child.poll()

    def mark(self, name: str) -> str:
        return f"{name}@{self.home.root}"

    def spawn(
        self, name: str, command: Sequence[str], environment: Mapping[str, str] | None
    ) -> subprocess.Popen[bytes]:
        if self.cancelled.is_set():
            raise Cancelled
        return spawn(
            command,
            log=self.home.log(name),
            environment={**self.environment, **(environment or {}), MARK: self.mark(name)},
            folder=self.folder,
        )

    def _start_service(self, part: Service, run_once: RunOnce) -> str:
        file = self.pid_file(part.name)
        end(file.session())  # what a killed leader left would hold its files and its port
        self._reap(part.name)
        part.prepare(run_once)
        offset = size(self.home.log(part.name))
        command = part.command()
        child = self.spawn(part.name, command, part.environment)
        self._children[part.name] = child
        try:
            file.write(psutil.Process(child.pid), command)
            self._wait_until_ready(part, child, offset)
            part.complete(run_once)
        except BaseException:
            self.stop(part, within_seconds=_GRACE_OF_A_FAILED_START_SECONDS)
            raise
        return "ready"

    def _wait_until_ready(self, part: Service, child: subprocess.Popen[bytes], offset: int) -> None:
        deadline = time.monotonic() + part.start_seconds
        while True:
            if child.poll() is not None:
                raise self.failure(part.name, f"ended with exit code {child.returncode}", offset)
            if part.ready():
                return
            if time.monotonic() > deadline:
                raise self.failure(part.name, f"is not ready after {part.start_seconds:.0f} s", offset)
            if self.cancelled.wait(_ASK_SECONDS):
                raise Cancelled

    def failure(self, name: str, why: str, offset: int) -> StackError:
        log = self.home.log(name)
        said = last_words(log, offset)
        shown = f" Its last words:\n{said}\n" if said else " "
        return StackError(f"{name} {why}.{shown}Read {log}, put that right and start again.")

    def tell(self, name: str, what: str) -> None:
        self.progress(f"{name:<18} {what:<20} {self.home.log(name)}")

    def _reap(self, name: str) -> None:
        if child := self._children.pop(name, None):
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(timeout=5)


@dataclass(frozen=True, slots=True)
class _OneOffs:
    """`RunOnce` for one part."""

    launcher: Launcher
    name: str

    def __call__(self, command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        offset = size(self.launcher.home.log(self.name))
        child = self.launcher.spawn(self.name, command, environment)
        while child.poll() is None:
            if self.launcher.cancelled.wait(_POLL_SECONDS):
                end(marked(self.launcher.mark(self.name)))
                child.wait()
                raise Cancelled
        if child.returncode != 0:
            raise self.launcher.failure(self.name, f"failed with exit code {child.returncode}", offset)
