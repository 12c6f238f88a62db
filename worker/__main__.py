"""The program that `autoloader worker` becomes: `python -m worker LANE LIMIT DRAIN_SECONDS MOST_BYTES NAME`.

It reads top to bottom as the life of the process. A run that has begun finishes whatever happens to the worker: on
SIGTERM it is waited for, and when the zygote is gone as well; and it goes on by itself when the worker is killed.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from worker.ahead import Threaded, import_all
from worker.leaving import Exit

if TYPE_CHECKING:
    from schemas.config.lanes import Lane
    from worker.brood import Brood
    from worker.process_pool import WarmWorker
    from worker.waking import Bell

TELLING_SECONDS = 10.0  # to Prefect how a run ended, to Spark that a session is not needed
LEAVING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class Options:
    """What the command was told: whose runs, how many runs at once, how long they may finish, what Prefect calls it."""

    lane: str
    limit: int
    drain_seconds: float
    most_bytes: int
    name: str


def main() -> None:
    """Import everything, fork the zygote, and be the worker. In each child: be that child."""
    lane, limit, drain, most, name = sys.argv[1:]
    leaving = Exit()
    try:
        import_all()
    except Threaded as error:
        sys.exit(f"autoloader worker: {error}")
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if os.fork() == 0:
        ours.close()
        _be_zygote(theirs, cast("Lane", lane), leaving)
    else:
        theirs.close()
        sys.exit(asyncio.run(_be_worker(ours, Options(lane, int(limit), float(drain), int(most), name))))


def _be_zygote(control: socket.socket, lane: Lane, leaving: Exit) -> None:
    from worker import child, zygote  # noqa: PLC0415 - imported by now

    if cradle := zygote.Zygote(control).serve():
        leaving.after(lambda: child.live(cradle, lane))
        return  # up to the end of the program: what waits to be sent is sent at its exit
    os._exit(0)


async def _be_worker(control: socket.socket, options: Options) -> int:
    """Serve until told to leave, or until the zygote is gone; the exit code."""
    from worker.brood import Brood  # noqa: PLC0415 - imported by now
    from worker.process_pool import WarmWorker  # noqa: PLC0415 - imported by now
    from worker.waking import Bell  # noqa: PLC0415 - imported by now

    told, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in LEAVING:
        loop.add_signal_handler(number, told.set)
    brood = Brood(control, options.limit)
    worker = WarmWorker(
        brood,
        options.most_bytes or None,
        work_pool_name=f"autoloader-{options.lane}",
        limit=options.limit,
        name=options.name or None,
        create_pool_if_not_found=False,  # it would be made without our template: `deploy` makes it
    )
    working = asyncio.create_task(worker.start(with_healthcheck=True), name="worker")
    answering = asyncio.create_task(_answer(Bell(options.lane, os.environ), worker), name="bell")
    leaving = [asyncio.create_task(event.wait()) for event in (told, brood.zygote_lost)]
    await asyncio.wait([working, answering, *leaving], return_when=asyncio.FIRST_COMPLETED)
    if not working.done():
        await _drain(worker, brood, options.drain_seconds)
    for task in (working, answering):
        task.cancel()
    failures = [found for found in await asyncio.gather(working, answering, return_exceptions=True) if found]
    troubles = [found for found in failures if not isinstance(found, asyncio.CancelledError)]
    for trouble in troubles:
        print(f"autoloader worker: {trouble!r}", file=sys.stderr)  # noqa: T201 - the last word of a program
    return 0 if told.is_set() and not troubles else 1


async def _answer(bell: Bell, worker: WarmWorker) -> None:
    async for _ in bell.rings():
        await worker.poll()


async def _drain(worker: WarmWorker, brood: Brood, seconds: float) -> None:
    """Take no more runs, and wait for those that have begun; when their time is over they are told to end."""
    worker.take_no_more()
    brood.send_home()
    with suppress(TimeoutError):
        await asyncio.wait_for(worker.finished(), seconds)
    for child in brood.running:
        child.graceful_kill()
    await asyncio.gather(*(child.ended.wait() for child in brood.running))
    with suppress(TimeoutError):
        async with asyncio.timeout(TELLING_SECONDS):
            await worker.finished()
            await brood.gone()


if __name__ == "__main__":
    main()
