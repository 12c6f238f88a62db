"""Containers beside a worker, on the machine of a Docker daemon."""

from typing import Literal

from pydantic import Field

from schemas.base import Strict
from schemas.config.sizes import Environment, JobVariables, SizeClass, mebibytes, told

NANO_CPUS = 1_000_000_000  # of one processor, Docker's unit


class DockerPool(Strict):
    """Each run is a container of its own. Docker keeps no secrets: what stands in `env` stands in Prefect too."""

    type: Literal["docker"]
    image: str = Field(min_length=1)
    image_pull_policy: Literal["IfNotPresent", "Always", "Never"] = "IfNotPresent"
    networks: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    env: Environment = {}

    def job_variables(self, size: SizeClass) -> JobVariables:
        """Limit it, without swap. Nothing is asked for: a daemon makes no room, its `workers` and slots do."""
        memory = f"{mebibytes(size.memory_limit or size.memory)}m"
        cpus = size.cpu_limit or size.cpu
        limits: JobVariables = {"mem_limit": memory, "memswap_limit": memory, "nano_cpus": cpus * NANO_CPUS}
        return {**limits, **told(cpus, size.memory)}
