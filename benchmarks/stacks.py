"""A local stack of its own for a benchmark, in a temporary folder with lanes of process workers; what one takes."""

import signal
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from dev.stack import Stack

LANES = """
version: 1
allow: ["file://${AUTOLOADER_HOME}/landing/"]
commit_interval: 0s
lanes:
  default: {workers: 1, slots_per_worker: 4}
  high-memory: {pool: {type: process}, slots_per_worker: 1}
  priority: {slots_per_worker: 1}
sources:
"""


@contextmanager
def running(sources: str) -> Iterator[tuple[Stack, Path]]:
    """A stack with these sources, which are YAML, and its home; stopped at the end."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "autoloader.yaml").write_text(LANES + sources)
        stack = Stack(home, home / "autoloader.yaml")
        with stopped_at_the_end(stack):
            stack.up()
            yield stack, home


@contextmanager
def stopped_at_the_end(stack: Stack) -> Iterator[None]:
    """The time in which a stack may run; also a benchmark that is told to stop leaves none."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        yield
    finally:
        stack.down()


def memory(stack: Stack) -> Mapping[str, int]:
    """MB of each part that runs, with its children: PSS, in which what several share is divided among them."""
    return {part: int(_sum(each, lambda one: one.memory_full_info().pss)) // 2**20 for part, each in _processes(stack)}


def cpu_seconds(stack: Stack) -> Mapping[str, float]:
    """CPU seconds that each part that runs, and its children that live, have taken so far."""
    return {part: _sum(each, lambda one: sum(one.cpu_times()[:2])) for part, each in _processes(stack)}


def _sum(processes: Iterable[psutil.Process], taken: Callable[[psutil.Process], float]) -> float:
    total = 0.0
    for process in processes:
        with suppress(psutil.NoSuchProcess):  # a run's ended meanwhile
            total += taken(process)
    return total


def _processes(stack: Stack) -> Iterator[tuple[str, list[psutil.Process]]]:
    for part in stack.running():
        if (pid := stack.pid(part)) is not None:
            leader = psutil.Process(pid)
            yield part, [leader, *leader.children(recursive=True)]
