"""A lane in Google's Vertex AI: a custom job of its own for each run, on a machine that fits its class."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from flows.infrastructure.containers import Containers, sized
from schemas.config.pools.vertex_ai import VertexPool
from schemas.config.sizes import GIB

if TYPE_CHECKING:
    from collections.abc import Mapping

    from schemas.config.lanes import LaneConfig


def fill(default: Mapping[str, Any], lane: LaneConfig, pool: VertexPool) -> dict[str, Any]:
    """Say the pool in that template of the worker."""
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


def default_template() -> dict[str, Any]:
    """As the installed worker has it."""
    from prefect_gcp.workers.vertex import VertexAIWorker  # noqa: PLC0415 - an optional package

    template: dict[str, Any] = VertexAIWorker.get_default_base_job_template()
    return template


VERTEX_AI = Containers(VertexPool, default_template, fill)
