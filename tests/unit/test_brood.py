"""Children that are forked, given a run and buried: real processes, which play the run."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from worker.brood import Brood, Child
from worker.messages import Job

# A child ends with the code that its run's parameters are, or tells what OF_THE_RUN is by its code.
ZYGOTE = """
import json, os, socket, sys
from worker.zygote import Zygote
cradle = Zygote(socket.socket(fileno=int(sys.argv[1]))).serve()
if cradle is not None:
    if cradle.waits:
        cradle.worker.sendall(b"p")
    line = cradle.worker.makefile("rb").readline()
    if line:
        job = json.loads(line)
        cradle.surroundings.become(job["environ"])
        os._exit(int(os.environ.get("OF_THE_RUN", job["flow_run"])))
os._exit(0)
"""


@dataclass
class Family:
    brood: Brood
    zygote: subprocess.Popen[bytes]


@asynccontextmanager
async def family(slots: int = 2) -> AsyncIterator[Family]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    descriptor = theirs.fileno()
    zygote = subprocess.Popen(  # noqa: ASYNC220 - it only starts, which takes no time
        [sys.executable, "-c", ZYGOTE, str(descriptor)], pass_fds=[descriptor]
    )
    theirs.close()
    brood = Brood(ours, slots)
    brood.start()
    try:
        await until(lambda: len(parked(brood)) == slots)
        yield Family(brood, zygote)
    finally:
        brood.send_home()
        ours.close()
        await asyncio.to_thread(zygote.wait, 30)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not holds():  # noqa: ASYNC110 - a condition of other processes
            await asyncio.sleep(0.01)


def parked(brood: Brood) -> list[Child]:
    return [child for child in brood.waiting if child.parked.is_set()]


def job(code: int = 0, **environ: str) -> Job:
    return Job(flow_run=str(code), entrypoint="", environ=environ, folder="")


async def ended(child: Child) -> int | None:
    async with asyncio.timeout(30):
        await child.ended.wait()
    return child.returncode


async def test_a_run_is_given_to_one_that_waits_and_how_it_ends_is_told() -> None:
    async with family() as all_of_it:
        before = {child.pid for child in all_of_it.brood.waiting}

        first, second = await all_of_it.brood.give(job(0)), await all_of_it.brood.give(job(3))

        assert {first.pid, second.pid} == before
        assert [await ended(first), await ended(second)] == [0, 3]
        await until(lambda: len(parked(all_of_it.brood)) == 2)


async def test_one_is_not_kept_waiting_for_a_run_in_another_environment() -> None:
    async with family() as all_of_it:
        before = {child.pid for child in all_of_it.brood.waiting}

        other = await all_of_it.brood.give(job(OF_THE_RUN="7"))
        assert other.pid not in before
        assert await ended(other) == 7

        # What this run wanted the next will want too.
        await until(lambda: [child.environ for child in parked(all_of_it.brood)] == [{"OF_THE_RUN": "7"}] * 2)
        waiting = {child.pid for child in all_of_it.brood.waiting}
        assert (await all_of_it.brood.give(job(OF_THE_RUN="7"))).pid in waiting


async def test_of_a_run_its_own_number_does_not_make_another_environment() -> None:
    async with family() as all_of_it:
        before = {child.pid for child in all_of_it.brood.waiting}

        assert (await all_of_it.brood.give(job(PREFECT__FLOW_RUN_ID="a-run"))).pid in before


async def test_one_that_dies_while_it_waits_is_passed_over_and_replaced() -> None:
    async with family(slots=1) as all_of_it:
        (victim,) = all_of_it.brood.waiting
        os.kill(victim.pid, signal.SIGKILL)
        await until(lambda: not victim.is_alive())

        child = await all_of_it.brood.give(job(5))

        assert child.pid != victim.pid
        assert await ended(child) == 5
        await until(lambda: len(parked(all_of_it.brood)) == 1)


async def test_one_that_is_ended_is_told_by_the_signal() -> None:
    async with family(slots=1) as all_of_it:
        (child,) = all_of_it.brood.waiting
        child.hard_kill()

        assert await ended(child) == -signal.SIGKILL
        with pytest.raises(ProcessLookupError):
            child.graceful_kill()


async def test_without_a_zygote_nobody_is_born_and_those_there_are_seen_to_end() -> None:
    async with family(slots=1) as all_of_it:
        (child,) = all_of_it.brood.waiting
        all_of_it.zygote.kill()
        await asyncio.wait_for(all_of_it.brood.zygote_lost.wait(), 30)

        child.hard_kill()

        assert await ended(child) is not None
        with pytest.raises(OSError, match="gone"):
            await all_of_it.brood.give(job())
