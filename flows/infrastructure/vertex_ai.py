"""A lane in Google's Vertex AI: a custom job of its own for each run, on a machine that fits its class."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from flows.infrastructure.containers import ENDED_BY_SIGTERM, lacking, sized
from schemas.config.pools.vertex_ai import VertexPool
from schemas.config.sizes import GIB

if TYPE_CHECKING:
    from collections.abc import Mapping

    from schemas.config.lanes import LaneConfig


def template(lane: LaneConfig) -> dict[str, Any]:
    """Take Prefect's own template, and say in it all that the pool is configured with."""
    return filled(default_template(), lane)


def filled(default: Mapping[str, Any], lane: LaneConfig) -> dict[str, Any]:
    """The same, from that template of the worker."""
    pool = _pool(lane)
    return sized(
        default,
        lane,
        image=pool.image,
        region=pool.region,
        service_account_name=pool.service_account,
        network=pool.network,
        boot_disk_size_gb=pool.scratch // GIB,
        maximum_run_time_hours=-(-pool.deadline // timedelta(hours=1)),
    )


def environment(lane: LaneConfig) -> Mapping[str, str]:
    """What all runs of the lane find in their environment."""
    return ENDED_BY_SIGTERM | _pool(lane).env


def job_variables() -> dict[str, Any]:
    """Say nothing: the template holds it all."""
    return {}


def trouble(_lane: LaneConfig) -> str | None:
    """What is missing to deploy it."""
    return lacking("vertex-ai")


def default_template() -> dict[str, Any]:
    """As the installed worker has it."""
    from prefect_gcp.workers.vertex import VertexAIWorker  # noqa: PLC0415 - an optional package

    template: dict[str, Any] = VertexAIWorker.get_default_base_job_template()
    return template


def _pool(lane: LaneConfig) -> VertexPool:
    if not isinstance(lane.pool, VertexPool):
        raise TypeError(f"a pool of type {lane.pool.type} is none of Vertex AI")
    return lane.pool
