"""A lane in Docker: a container of its own for each run, beside the worker that starts it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flows.infrastructure.containers import ENDED_BY_SIGTERM, lacking, sized
from schemas.config.pools.docker import DockerPool

if TYPE_CHECKING:
    from collections.abc import Mapping

    from schemas.config.lanes import LaneConfig


def template(lane: LaneConfig) -> dict[str, Any]:
    """Take Prefect's own template, and say in it all that the pool is configured with."""
    return filled(default_template(), lane)


def filled(default: Mapping[str, Any], lane: LaneConfig) -> dict[str, Any]:
    """The same, from that template of the worker. Docker's client limits processors by an argument of its own."""
    pool = _pool(lane)
    default = {**default, "variables": _with_processors(default["variables"])}
    ours = sized(
        default,
        lane,
        image=pool.image,
        image_pull_policy=pool.image_pull_policy,
        networks=list(pool.networks),
        volumes=list(pool.volumes),
    )
    ours["job_configuration"]["container_create_kwargs"] = {"nano_cpus": "{{ nano_cpus }}"}
    return ours


def environment(lane: LaneConfig) -> Mapping[str, str]:
    """What all runs of the lane find in their environment."""
    return ENDED_BY_SIGTERM | _pool(lane).env


def job_variables() -> dict[str, Any]:
    """Say nothing: the template holds it all."""
    return {}


def trouble(_lane: LaneConfig) -> str | None:
    """What is missing to deploy it."""
    return lacking("docker")


def default_template() -> dict[str, Any]:
    """As the installed worker has it."""
    from prefect_docker.worker import DockerWorker  # noqa: PLC0415 - an optional package

    template: dict[str, Any] = DockerWorker.get_default_base_job_template()
    return template


def _with_processors(variables: Mapping[str, Any]) -> dict[str, Any]:
    return {**variables, "properties": {**variables["properties"], "nano_cpus": {"type": "integer"}}}


def _pool(lane: LaneConfig) -> DockerPool:
    if not isinstance(lane.pool, DockerPool):
        raise TypeError(f"a pool of type {lane.pool.type} is none of Docker")
    return lane.pool
