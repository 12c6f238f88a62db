"""Where every effect waits for its turn, before it is done and after: who goes on, who is killed and whose answer is
lost is decided outside, effect by effect.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from inspect import iscoroutinefunction
from typing import Any, Literal, TypeVar, cast

Port = TypeVar("Port")
Moment = Literal["before", "after"]


@dataclass(frozen=True, slots=True)
class Turn:
    """An actor that waits at an effect."""

    actor: str
    effect: str
    moment: Moment
    goes_on: "asyncio.Future[None]"

    def __str__(self) -> str:
        return f"{self.actor} {self.moment} {self.effect}"


class Gate:
    """All who wait. An open gate lets everybody through."""

    def __init__(self) -> None:
        self.is_open = False
        self._waiting: list[Turn] = []

    async def reach(self, actor: str, effect: str, moment: Moment) -> None:
        """Wait for the turn, which may turn out to be an exception."""
        if self.is_open:
            return
        turn = Turn(actor, effect, moment, asyncio.get_running_loop().create_future())
        self._waiting.append(turn)
        await turn.goes_on

    def waiting(self) -> list[Turn]:
        """Those who still live, in the order in which they came."""
        self._waiting = [turn for turn in self._waiting if not turn.goes_on.done()]
        return self._waiting


def gated(port: Port, actor: str, gate: Gate) -> Port:
    """The same port, whose every coroutine waits at the gate before and after its effect."""
    return cast("Port", _Gated(port, actor, gate))


class _Gated:
    def __init__(self, port: object, actor: str, gate: Gate) -> None:
        self._port = port
        self._actor = actor
        self._gate = gate

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)
        if not iscoroutinefunction(method):
            return method
        return self._waits(method, f"{type(self._port).__name__.removeprefix('Fake')}.{name}")

    def _waits(self, method: Callable[..., Awaitable[Any]], effect: str) -> Callable[..., Awaitable[Any]]:
        async def call(*arguments: Any, **options: Any) -> Any:
            await self._gate.reach(self._actor, effect, "before")
            answer = await method(*arguments, **options)
            await self._gate.reach(self._actor, effect, "after")
            return answer

        return call


async def settle_down() -> None:
    """Let every task run until it waits at the gate or has ended."""
    for _ in range(6):
        await asyncio.sleep(0)
