"""A local stack of its own for a benchmark: in a temporary folder, with lanes of process workers."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
        stack.up()
        try:
            yield stack, home
        finally:
            stack.down()
