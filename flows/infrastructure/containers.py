"""What types of pool have in common whose runs are containers without Kubernetes: each says what is its own.

The router names the size of each attempt in the variables of the pool's worker (`schemas.config.pools`), and in two of
ours beside them, which become the run's environment; a run for which it names none has the lane's first class.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from flows.infrastructure.kubernetes import ENDED_BY_SIGTERM
from schemas.config.pools.cloud_run import CloudRunPool
from schemas.config.pools.docker import DockerPool
from schemas.config.pools.ecs import EcsPool
from schemas.config.pools.vertex_ai import VertexPool

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from schemas.config.lanes import LaneConfig
    from schemas.config.pools import PoolType

COMMAND = "python -m prefect.engine"  # one Python; by itself the worker names a program of two
# What `flows.loading.room` reads, by the variables that say it.
TOLD = {"AUTOLOADER_CPUS": "autoloader_cpus", "AUTOLOADER_MEMORY": "autoloader_memory"}

# What has the pool's worker, and the optional group of ours that brings it.
PACKAGES: Mapping[PoolType, tuple[str, str]] = {
    "docker": ("prefect_docker", "docker"),
    "ecs": ("prefect_aws", "aws"),
    "cloud-run-v2": ("prefect_gcp", "gcp"),
    "vertex-ai": ("prefect_gcp", "gcp"),
}

Own = TypeVar("Own", DockerPool, EcsPool, CloudRunPool, VertexPool)


@dataclass(frozen=True, slots=True)
class Containers(Generic[Own]):
    """A type of pool, see `flows.infrastructure.Infrastructure`.

    `model` is its configuration; `default` makes its worker's own template, and `fill` says a lane and its pool in one.
    """

    model: type[Own]
    default: Callable[[], dict[str, Any]]
    fill: Callable[[Mapping[str, Any], LaneConfig, Own], dict[str, Any]]

    def template(self, lane: LaneConfig) -> dict[str, Any]:
        """Take Prefect's own template, and say in it all that the pool is configured with."""
        return self.filled(self.default(), lane)

    def filled(self, default: Mapping[str, Any], lane: LaneConfig) -> dict[str, Any]:
        """The same, from that template of the worker."""
        return self.fill(default, lane, self._pool(lane))

    def environment(self, lane: LaneConfig) -> Mapping[str, str]:
        """What all runs of the lane find in their environment."""
        return ENDED_BY_SIGTERM | self._pool(lane).env

    def job_variables(self) -> dict[str, Any]:
        """Say nothing: the template holds it all."""
        return {}

    def trouble(self, lane: LaneConfig) -> str | None:
        """What is missing to deploy it."""
        return lacking(lane.pool.type)

    def _pool(self, lane: LaneConfig) -> Own:
        if not isinstance(lane.pool, self.model):
            raise TypeError(f"a pool of type {lane.pool.type} is no {self.model.__name__}")
        return lane.pool


def sized(default: Mapping[str, Any], lane: LaneConfig, **defaults: object) -> dict[str, Any]:
    """Take a worker's default template, with these defaults and the first class, and our two variables in it."""
    ours: dict[str, Any] = deepcopy(dict(default))
    ours["job_configuration"]["env"] = {name: f"{{{{ {variable} }}}}" for name, variable in TOLD.items()}
    variables = ours["variables"]["properties"]
    variables |= {variable: {"type": "string"} for variable in TOLD.values()}
    for name, value in {"command": COMMAND, **defaults, **lane.pool.job_variables(lane.classes[0])}.items():
        if value is not None:
            variables[name] = {**variables[name], "default": value}
    return ours


def lacking(pool: PoolType) -> str | None:
    """What is missing, when the package is not installed that has the pool's worker."""
    package, group = PACKAGES.get(pool, ("prefect", ""))
    if find_spec(package) is not None:
        return None
    return f"needs {package.replace('_', '-')}; install autoloader[{group}] here and where its worker runs"
