"""Do things that need each other, as many at once as their needs allow."""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING

from dev.errors import Cancelled

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dev.interrupts import Flag


def in_order(needs: Mapping[str, tuple[str, ...]], do: Callable[[str], None], cancelled: Flag) -> None:
    """Call `do(name)` for each name once those it needs are done; needs that are not among the names count as done.

    The first failure sets `cancelled`, waits for what is under way, and is raised.
    """
    done: set[str] = set()
    running: dict[Future[None], str] = {}
    failures: list[BaseException] = []
    with ThreadPoolExecutor(max_workers=max(1, len(needs))) as pool:
        while len(done) < len(needs) and not (failures and not running):
            if not failures:
                for name in _startable(needs, done, set(running.values())):
                    running[pool.submit(do, name)] = name
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                done.add(running.pop(future))
                if error := future.exception():
                    failures.append(error)
                    cancelled.set()
    if failures:
        raise next((error for error in failures if not isinstance(error, Cancelled)), failures[0])


def reversed_needs(needs: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """The order in which to take down what was built in the order of `needs`."""
    return {name: tuple(other for other, others in needs.items() if name in others) for name in needs}


def _startable(needs: Mapping[str, tuple[str, ...]], done: set[str], running: set[str]) -> list[str]:
    return [
        name
        for name, others in needs.items()
        if name not in done and name not in running and all(other in done or other not in needs for other in others)
    ]
