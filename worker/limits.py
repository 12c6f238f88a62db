"""How much memory a run's process may take. Who takes more is killed, as the kernel would, and it alone.

Looked at are the pages it has in memory, also those it shares with all the others (200 MiB). A control group of its own
would need rights that a container does not give, and a limit of its data segment counts what it never touched. What
takes everything between two looks goes first when memory is short (`zygote`). A Java of a run's own is not counted.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from prefect.logging import get_logger

if TYPE_CHECKING:
    from worker.brood import Child

LOOK_SECONDS = 0.25

log = get_logger("workers.process.limits")


async def hold_to(child: Child, most_bytes: int) -> None:
    """Kill the child when it takes more; return when it has ended."""
    with suppress(OSError):  # it has ended
        while child.is_alive():
            if (found := _resident(child.pid)) > most_bytes:
                log.error("process %d takes %d MiB of %d: it is killed", child.pid, found >> 20, most_bytes >> 20)
                child.hard_kill()
                return
            await asyncio.sleep(LOOK_SECONDS)


def _resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
