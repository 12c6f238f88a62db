"""A lane in Docker: a container of its own for each run, beside the worker that starts it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flows.infrastructure.containers import Containers, sized
from schemas.config.pools.docker import DockerPool

if TYPE_CHECKING:
    from collections.abc import Mapping

    from schemas.config.lanes import LaneConfig


def fill(default: Mapping[str, Any], lane: LaneConfig, pool: DockerPool) -> dict[str, Any]:
    """Say the pool in that template of the worker. Docker's client limits processors by an argument of its own."""
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


def default_template() -> dict[str, Any]:
    """As the installed worker has it."""
    from prefect_docker.worker import DockerWorker  # noqa: PLC0415 - an optional package

    template: dict[str, Any] = DockerWorker.get_default_base_job_template()
    return template


def _with_processors(variables: Mapping[str, Any]) -> dict[str, Any]:
    return {**variables, "properties": {**variables["properties"], "nano_cpus": {"type": "integer"}}}


DOCKER = Containers(DockerPool, default_template, fill)
