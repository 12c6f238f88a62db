"""How big a run is, and how big are those who stand."""

from collections.abc import Mapping
from typing import Annotated, Self, TypeAlias

from pydantic import Field, model_validator

from schemas.base import Strict
from schemas.config.values import Bytes

LEAST_MEMORY = 512 * 1024**2
GIB = 1024**3

# The size of a run in the words of its pool's worker, as a flow run of Prefect takes them.
JobVariables: TypeAlias = Mapping[str, str | int]
# Variables of a run's environment, by name.
Environment: TypeAlias = dict[Annotated[str, Field(pattern=r"^[A-Za-z_]\w*$")], str]


class SizeClass(Strict):
    """What a run in a pod or container asks for, and the most it may take; a limit left out is what it asks for."""

    cpu: int = Field(ge=1, le=10_000)
    memory: Bytes = Field(ge=LEAST_MEMORY)
    cpu_limit: int | None = Field(None, ge=1, le=10_000)
    memory_limit: Bytes | None = Field(None, ge=LEAST_MEMORY)

    @model_validator(mode="after")
    def _limits_hold_requests(self) -> Self:
        for name, asked, limit in (
            ("cpu", self.cpu, self.cpu_limit),
            ("memory", self.memory, self.memory_limit),
        ):
            if limit is not None and limit < asked:
                raise ValueError(f"{name}_limit is below {name}; write at least as much, or leave it out")
        return self


class Reserved(Strict):
    """What a worker or a server has asked for, for as long as it stands; only `autoloader cost` reads it."""

    cpu: float = Field(gt=0, le=10_000)
    memory: Bytes


class ConnectServers(Reserved):
    """The Spark Connect servers: how many there are, and what each has asked for."""

    servers: int = Field(1, ge=1, le=10_000)


def mebibytes(size: int) -> int:
    """Whole mebibytes of a number of bytes."""
    return size // 1024**2


def told(cpus: int, memory: int) -> JobVariables:
    """The variables that our template adds to a worker's own, for the run to know its size: processors, and bytes."""
    return {"autoloader_cpus": str(cpus), "autoloader_memory": str(memory)}
