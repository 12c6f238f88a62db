"""The children, as the worker sees them: some parked, some with a run, and the zygote that makes and buries them."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import socket
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from prefect.logging import get_logger

from worker.messages import IS_PARKED, MOST_BYTES, Birth, Born, Ended, Job, NotBorn, decoded
from worker.surroundings import without_its_run

AGAIN_SECONDS = 1.0  # before another is made after one that ended, or could not be, without a run
LATE_SECONDS = 2.0  # a child that is not parked by then is not waited for
GONE = "the process that starts runs is gone"
UNKNOWN = 1  # the exit code of a child whose zygote is gone


@dataclass(eq=False, slots=True)
class Child:
    """A process of one run, and what `ProcessHandle` of Prefect asks of one; `environ` is what it was born into."""

    pid: int
    descriptor: int
    socket: socket.socket
    environ: Mapping[str, str]
    parked: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    has_run: bool = False
    returncode: int | None = None
    # How Prefect ends it: by the descriptor, because its number may be another's as soon as the zygote has buried it.
    wait_after_graceful_kill: bool = True

    def is_alive(self, _pid: int = 0) -> bool:
        """Whether it has not ended."""
        waiting = select.poll()
        waiting.register(self.descriptor, select.POLLIN)
        return not self.ended.is_set() and not waiting.poll(0)

    def graceful_kill(self, _pid: int = 0) -> None:
        """Tell it to end; raise ProcessLookupError when it has."""
        self._send(signal.SIGTERM)

    def hard_kill(self, _pid: int = 0) -> None:
        """End it; raise ProcessLookupError when it has ended."""
        self._send(signal.SIGKILL)

    def close(self) -> None:
        """Do nothing: the descriptor is closed when it has ended."""

    def _send(self, number: int) -> None:
        if self.ended.is_set():
            raise ProcessLookupError
        signal.pidfd_send_signal(self.descriptor, number)


@dataclass(frozen=True, slots=True)
class _Expected:
    """A child that the zygote is asked for."""

    socket: socket.socket
    environ: Mapping[str, str]
    child: asyncio.Future[Child]


class Brood:
    """`slots` children, with a run or parked. `control` leads to the zygote."""

    def __init__(self, control: socket.socket, slots: int) -> None:
        self._control = control
        self._slots = slots
        self._usual: Mapping[str, str] = {}  # the environment of the last run: the next will want it too
        self._children: dict[int, Child] = {}
        self._parked: list[Child] = []
        self._births: deque[_Expected] = deque()
        self._changed = asyncio.Event()
        self._keeping: asyncio.Task[None] | None = None
        self._log = get_logger("workers.process.brood")
        self.zygote_lost = asyncio.Event()

    def start(self) -> None:
        """Begin to listen to the zygote, and to keep as many children as there are slots."""
        self._control.setblocking(False)
        asyncio.get_running_loop().add_reader(self._control, self._hear)
        self._changed.set()
        self._keeping = asyncio.create_task(self._keep(), name="brood")

    async def give(self, job: Job) -> Child:
        """Give a run to a parked child, or to a new one when none is parked in the run's environment.

        Raises:
            OSError: there can be none.
        """
        environ = without_its_run(job.environ)
        self.expect(environ)
        while True:
            child = await self._taken(environ)
            try:
                await asyncio.get_running_loop().sock_sendall(child.socket, job.encoded())
            except OSError:  # it has died while it was parked
                await child.ended.wait()
                continue
            self._stop_hearing(child)
            child.has_run = True
            return child

    def expect(self, environ: Mapping[str, str]) -> None:
        """Have them wait in the environment that the next run will want."""
        self._usual = environ
        self._changed.set()

    def send_home(self) -> None:
        """Let go of all that are parked, and keep no more."""
        if self._keeping is not None:
            self._keeping.cancel()
        for child in self._parked:
            self._stop_hearing(child)
        self._parked.clear()

    @property
    def waiting(self) -> Sequence[Child]:
        """The children that have no run."""
        return tuple(self._parked)

    @property
    def running(self) -> Sequence[Child]:
        """The children that have a run."""
        return tuple(child for child in self._children.values() if child.has_run)

    async def gone(self) -> None:
        """Wait until there is no child left."""
        await asyncio.gather(*(child.ended.wait() for child in self._children.values()))

    async def _taken(self, environ: Mapping[str, str]) -> Child:
        fitting = [child for child in self._parked if child.environ == environ]
        if fitting and not any(child.parked.is_set() for child in fitting):
            waits = [asyncio.create_task(child.parked.wait()) for child in fitting]
            await asyncio.wait(waits, timeout=LATE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()
        for child in self._parked:
            if child.environ == environ and child.parked.is_set() and child.is_alive():
                self._parked.remove(child)
                return child
        return await self._born(environ, waits=False)

    async def _keep(self) -> None:
        """As long as it lasts."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            for child in [child for child in self._parked if child.environ != self._usual]:
                self._parked.remove(child)
                self._stop_hearing(child)
            while len(self._children) < self._slots and not self.zygote_lost.is_set():
                try:
                    self._parked.append(await self._born(self._usual, waits=True))
                except OSError as error:
                    self._log.warning("no child can be parked, the next try is in a second: %s", error)
                    await asyncio.sleep(AGAIN_SECONDS)

    async def _born(self, environ: Mapping[str, str], *, waits: bool) -> Child:
        if self.zygote_lost.is_set():
            raise OSError(GONE)
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        expected = _Expected(ours, environ, asyncio.get_running_loop().create_future())
        with theirs:
            socket.send_fds(self._control, [Birth(environ, waits).encoded()], [theirs.fileno()])
        self._births.append(expected)
        try:
            return await asyncio.shield(expected.child)
        except OSError:
            ours.close()
            raise

    def _hear(self) -> None:
        message, descriptors, _, _ = socket.recv_fds(self._control, MOST_BYTES, 1)
        if not message:
            self._lose_zygote()
            return
        match decoded(message):
            case Born(pid):
                expected = self._births.popleft()
                child = Child(pid, descriptors[0], expected.socket, expected.environ)
                self._children[pid] = child
                asyncio.get_running_loop().add_reader(child.socket, self._hear_of, child)
                expected.child.set_result(child)
            case NotBorn(why):
                self._births.popleft().child.set_exception(OSError(why))
            case Ended(pid, code):
                self._end(self._children[pid], code)

    def _hear_of(self, child: Child) -> None:
        with suppress(OSError):
            if child.socket.recv(1) == IS_PARKED:
                child.parked.set()
                return
        asyncio.get_running_loop().remove_reader(child.socket)  # it ends, which its zygote tells

    def _stop_hearing(self, child: Child) -> None:
        asyncio.get_running_loop().remove_reader(child.socket)
        child.socket.close()

    def _end(self, child: Child, code: int) -> None:
        del self._children[child.pid]
        loop = asyncio.get_running_loop()
        if child in self._parked:
            self._parked.remove(child)
            self._stop_hearing(child)
            self._log.warning("a parked process ended by itself, with exit code %s: another one is started", code)
            loop.call_later(AGAIN_SECONDS, self._changed.set)
        else:
            self._changed.set()
        child.returncode = code
        child.ended.set()
        os.close(child.descriptor)

    def _lose_zygote(self) -> None:
        """Nobody tells any more who ended: so look, by the descriptors of the processes."""
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._control)
        self._log.error("%s: no more are taken, those that have begun finish", GONE)
        for expected in self._births:
            expected.child.set_exception(OSError(GONE))
        for child in self._children.values():
            loop.add_reader(child.descriptor, self._miss, child)
        self.zygote_lost.set()

    def _miss(self, child: Child) -> None:
        asyncio.get_running_loop().remove_reader(child.descriptor)
        self._end(child, UNKNOWN)
