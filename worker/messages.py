"""What the worker, the zygote and the children say to each other: a JSON object each.

worker -> zygote    Birth, with the child's end of a socket
zygote -> worker    Born, with a descriptor of the process; NotBorn; Ended
child  -> worker    one byte: it is parked
worker -> child     Job, once; the end of the socket: go home
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

MOST_BYTES = 128 * 1024  # of a message to or from the zygote; a socket's buffer holds more
IS_PARKED = b"p"


@dataclass(frozen=True, slots=True)
class Birth:
    """A child is wanted, in this environment (see `surroundings`). `waits`: there is no run for it yet."""

    environ: Mapping[str, str]
    waits: bool

    def encoded(self) -> bytes:
        """As it is sent."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def decoded(cls, message: bytes) -> Birth:
        """As it was sent."""
        return cls(**json.loads(message))


@dataclass(frozen=True, slots=True)
class Born:
    """The child that was wanted first is there."""

    pid: int


@dataclass(frozen=True, slots=True)
class NotBorn:
    """The child that was wanted first cannot be: why."""

    why: str


@dataclass(frozen=True, slots=True)
class Ended:
    """A child has ended: its exit code, or minus the signal that killed it."""

    pid: int
    code: int


Told = Born | NotBorn | Ended
_TOLD: Mapping[str, type[Told]] = {told.__name__: told for told in (Born, NotBorn, Ended)}


def encoded(told: Told) -> bytes:
    """As the zygote sends it."""
    return json.dumps([type(told).__name__, asdict(told)]).encode()


def decoded(message: bytes) -> Told:
    """As the zygote sent it."""
    name, fields = json.loads(message)
    return _TOLD[name](**fields)


@dataclass(frozen=True, slots=True)
class Job:
    """One run: Prefect's own JSON of it, which flow, in which environment, in which folder.

    `environ` is the run's, with what Prefect tells each of its processes; `folder` is empty where nobody says.
    """

    flow_run: str
    entrypoint: str
    environ: Mapping[str, str]
    folder: str

    def encoded(self) -> bytes:
        """As it is sent: a line."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def decoded(cls, line: bytes) -> Job:
        """As it was sent."""
        return cls(**json.loads(line))
