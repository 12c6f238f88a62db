"""Custom jobs in Google's Vertex AI."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Literal, NamedTuple

from pydantic import ByteSize, Field

from schemas.base import Strict
from schemas.config.sizes import GIB, Environment, JobVariables, SizeClass, told
from schemas.config.values import Bytes, Duration


class Machine(NamedTuple):
    """A type of machine, with its GiB and processors: the one with the least memory stands first."""

    gib: int
    cpus: int
    name: str


# https://cloud.google.com/vertex-ai/docs/training/configure-compute#machine-types
MACHINES: Sequence[Machine] = sorted(
    [Machine(4 * cpus, cpus, f"n2-standard-{cpus}") for cpus in (4, 8, 16, 32, 48, 64, 80)]
    + [Machine(8 * cpus, cpus, f"n2-highmem-{cpus}") for cpus in (2, 4, 8, 16, 32, 48, 64, 80)]
)


class VertexPool(Strict):
    """Each run is a custom job on a machine of its own in `region`: the smallest that has what its class asks for.

    Vertex AI keeps no secrets: what stands in `env` stands in Prefect too. `scratch` is its disk. A job that takes
    longer than `deadline`, in hours rounded up, is ended.
    """

    type: Literal["vertex-ai"]
    image: str = Field(min_length=1)
    region: str = Field(min_length=1)
    service_account: str | None = None
    network: str | None = None
    env: Environment = {}
    scratch: Bytes = Field(ByteSize(100 * GIB), ge=100 * GIB)
    deadline: Duration = Field(timedelta(hours=6), ge=timedelta(hours=1), le=timedelta(days=7))

    def job_variables(self, size: SizeClass) -> JobVariables:
        """Name the machine; the run has the memory of its class, as another one of that class would."""
        fitting = (one for one in MACHINES if one.cpus >= size.cpu and one.gib * GIB >= size.memory)
        machine = next(fitting, None)
        if machine is None:
            raise ValueError(f"Vertex AI has no machine with {size.cpu} CPU and {size.memory.human_readable()}")
        return {"machine_type": machine.name, **told(machine.cpus, size.memory)}
