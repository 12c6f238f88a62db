"""What Prefect is told of each type of work pool: one module a type. docs/add-a-lane.md says how to add one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, assert_never

from flows.infrastructure import cloud_run, docker, ecs, kubernetes, process, vertex_ai

if TYPE_CHECKING:
    from collections.abc import Mapping

    from schemas.config.lanes import LaneConfig
    from schemas.config.pools import PoolType


class Infrastructure(Protocol):
    """What this package offers of a type of pool: a module, or what stands in one."""

    def template(self, lane: LaneConfig) -> dict[str, Any]:
        """Make the base job template of a lane's pool."""

    def environment(self, lane: LaneConfig) -> Mapping[str, str]:
        """What a lane's runs find in their environment, beside what all find."""

    def job_variables(self) -> dict[str, Any]:
        """What a deployment says of its runs, beside their environment."""

    def trouble(self, lane: LaneConfig) -> str | None:
        """What is missing of a lane's configuration, to follow its name; None when it can be deployed."""


def of(pool: PoolType) -> Infrastructure:
    """Find the module of a type of pool."""
    match pool:
        case "process":
            return process
        case "kubernetes":
            return kubernetes
        case "docker":
            return docker.DOCKER
        case "ecs":
            return ecs.ECS
        case "cloud-run-v2":
            return cloud_run.CLOUD_RUN
        case "vertex-ai":
            return vertex_ai.VERTEX_AI
        case _:
            assert_never(pool)
