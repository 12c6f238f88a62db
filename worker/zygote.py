"""The process that the children come from: everything imported, one thread, no loop, no client.

It forks when it is told to, and tells how a child ended. It ends when its worker is gone and no child is left.
"""

from __future__ import annotations

import os
import select
import signal
import socket
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from worker.messages import MOST_BYTES, Birth, Born, Ended, NotBorn, Told, encoded
from worker.surroundings import Surroundings

_LEAVING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)  # its worker says when it is time


@dataclass(frozen=True, slots=True)
class Cradle:
    """What a child finds: the way to its worker, where it lives, and whether it has to wait there for a run."""

    worker: socket.socket
    surroundings: Surroundings
    waits: bool


@dataclass(slots=True)
class Zygote:
    """`control` leads to the worker."""

    control: socket.socket
    _surroundings: Surroundings = field(default_factory=Surroundings)
    _children: dict[int, int] = field(default_factory=dict)  # by the descriptor of each process
    _poll: select.poll = field(default_factory=select.poll)

    def serve(self) -> Cradle | None:
        """Return many times: in each child with its cradle, at last in the zygote itself with none."""
        for number in _LEAVING:
            signal.signal(number, signal.SIG_IGN)
        self._poll.register(self.control, select.POLLIN)
        has_worker = True
        while has_worker or self._children:
            for descriptor, _ in self._poll.poll():
                if descriptor in self._children:
                    self._bury(descriptor)
                    continue
                message, descriptors, _, _ = socket.recv_fds(self.control, MOST_BYTES, 1)
                if not message:
                    has_worker = False
                    self._poll.unregister(self.control)
                elif cradle := self._fork(Birth.decoded(message), descriptors[0]):
                    return cradle
        return None

    def _fork(self, birth: Birth, worker: int) -> Cradle | None:
        self._surroundings.become(birth.environ)
        try:
            pid = os.fork()
        except OSError as error:
            self._tell(NotBorn(str(error)))
            pid = -1
        if pid == 0:
            return self._cradle(worker, waits=birth.waits)
        os.close(worker)
        if pid > 0:
            descriptor = os.pidfd_open(pid)
            self._children[descriptor] = pid
            self._poll.register(descriptor, select.POLLIN)
            self._tell(Born(pid), descriptor)
        return None

    def _cradle(self, worker: int, *, waits: bool) -> Cradle:
        """In the child: forget what is the zygote's. Ctrl-C is for the worker, which lets its runs finish."""
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        with suppress(OSError):  # where memory is short, this one goes before its worker does
            Path("/proc/self/oom_score_adj").write_text("500")
        self.control.close()
        for descriptor in self._children:
            os.close(descriptor)
        return Cradle(socket.socket(fileno=worker), self._surroundings, waits)

    def _bury(self, descriptor: int) -> None:
        pid = self._children.pop(descriptor)
        self._poll.unregister(descriptor)
        os.close(descriptor)
        _, status = os.waitpid(pid, 0)
        self._tell(Ended(pid, os.waitstatus_to_exitcode(status)))

    def _tell(self, told: Told, *descriptors: int) -> None:
        with suppress(BrokenPipeError, ConnectionResetError):  # the worker is gone, which the next message tells
            socket.send_fds(self.control, [encoded(told)], descriptors)
