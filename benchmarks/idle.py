"""What the local stack takes before anything is asked of it: its start, its first file, its memory and CPU at rest.

    .venv/bin/python -m benchmarks.idle [starts]

On a stack started for this, as `autoloader up` starts it. It is started again so many times, five by default, each time
with two files, one after the other, into a table that is there. After the last time it is left alone for half a minute;
then a minute's CPU counts, and at its end the memory of each part with its children (PSS, MB).
"""

import asyncio
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.latency import one
from benchmarks.stacks import cpu_seconds, memory, stopped_at_the_end
from dev.stack import Stack

CONFIG = Path(__file__).parents[1] / "dev" / "autoloader.yaml"
FILES = ("first file", "second file")
REST_SECONDS, LOOK_SECONDS = 30, 60


def start(stack: Stack) -> float:
    """Seconds until all parts are ready."""
    begun = time.monotonic()
    stack.up()
    return time.monotonic() - begun


def files(stack: Stack, folder: Path) -> str:
    """What the first files took, one after the other."""
    told = []
    for number, title in enumerate(FILES):
        spans = asyncio.run(one(stack.settings(), number, folder))
        told.append(f"{title} → rows {spans['event → rows']:.2f} s, completion {spans['event → completion']:.2f}")
    return " · ".join(told)


def rest(stack: Stack) -> None:
    """Print a line for each part, and their sum."""
    time.sleep(REST_SECONDS)
    before = cpu_seconds(stack)
    time.sleep(LOOK_SECONDS)
    after, held = cpu_seconds(stack), memory(stack)
    taken = {part: (seconds - before[part]) / LOOK_SECONDS for part, seconds in after.items()}
    for part, share in taken.items():
        print(f"{part:20} {share:7.2%} of a core {held[part]:6} MB")
    print(f"{'all':20} {sum(taken.values()):7.2%} of a core {sum(held.values()):6} MB")


def main(stack: Stack, folder: Path, starts: int) -> None:
    """The lines."""
    print(f"the first start      {start(stack):5.1f} s · {files(stack, folder)}")
    stack.record_class_data()
    for _ in range(starts):
        stack.down()
        print(f"started again in     {start(stack):5.1f} s · {files(stack, folder)}", flush=True)
    rest(stack)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as home, tempfile.TemporaryDirectory() as landing:
        local = Stack(Path(home), CONFIG)
        with stopped_at_the_end(local):
            main(local, Path(landing), int(sys.argv[1]) if sys.argv[1:] else 5)
