"""Where the time of intake goes, looked at while it runs."""

import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from inspect import iscoroutinefunction
from types import FrameType
from typing import Any, TypeVar, cast

Port = TypeVar("Port")

# A step by a part of the path of its code; the innermost call that has one counts.
PLACES = {
    "waiting": "/selectors.py",
    "decode": "/router/notifications/",
    "match": "/router/rules/matching",
    "check the URI": "/schemas/uris",
    "identity": "/router/rules/identity",
    "size": "/router/rules/sizing",
    "gather": "/router/stages/",
    "fetch": "/aiokafka/",
    "records": "/router/adapters/kafka/",
    "rows for PostgreSQL": "/router/adapters/postgres/",
    "encode for PostgreSQL": "/asyncpg/",
}
AWAITED = {"record": "PostgreSQL", "commit": "the commit", "poll": "Kafka"}


class Shares:
    """Where the time goes: the step the process is in at every millisecond, from the first records on."""

    def __init__(self) -> None:
        self.begun = 0.0
        self._steps: Counter[str] = Counter()
        self._waiting: Counter[str] = Counter()

    def around(self, port: Port) -> Port:
        """The same port, with what it waits for noted while it waits."""
        return cast("Port", _Watched(port, self))

    async def watch(self, call: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:
        """One call of a port."""
        self._waiting[call.__name__] += 1
        try:
            answer = await call(*arguments)
        finally:
            self._waiting[call.__name__] -= 1
        if call.__name__ == "poll" and answer:
            self.begun = self.begun or time.perf_counter()
        return answer

    @contextmanager
    def taken(self) -> Iterator[None]:
        """A look a millisecond, by a signal that interrupts whatever is done."""
        before = signal.signal(signal.SIGALRM, self._look)
        signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
        yield
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)

    def _look(self, _: int, frame: FrameType | None) -> None:
        while self.begun and frame is not None:
            name = next((name for name, place in PLACES.items() if place in frame.f_code.co_filename), None)
            if name is not None:
                self._steps[self._awaited() if name == "waiting" else name] += 1
                return
            frame = frame.f_back
        if self.begun:
            self._steps["the event loop"] += 1

    def _awaited(self) -> str:
        return next((f"waiting for {what}" for call, what in AWAITED.items() if self._waiting[call]), "waiting")

    def lines(self, records_a_second: float) -> Iterator[str]:
        """Microseconds a record and the share of each step, the dearest first."""
        looks = self._steps.total()
        for step, seen in self._steps.most_common():
            yield f"    {step:24} {seen / looks * 1e6 / records_a_second:6.2f} µs a record   {seen / looks:4.0%}"


class _Watched:
    def __init__(self, port: object, shares: Shares) -> None:
        self._port = port
        self._shares = shares

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)
        return partial(self._shares.watch, method) if iscoroutinefunction(method) else method
