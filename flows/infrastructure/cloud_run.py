"""A lane in Google's Cloud Run: a Job of its own for each run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flows.infrastructure.containers import ENDED_BY_SIGTERM, lacking, sized
from schemas.config.pools.cloud_run import CloudRunPool

if TYPE_CHECKING:
    from collections.abc import Mapping

    from schemas.config.lanes import LaneConfig


def template(lane: LaneConfig) -> dict[str, Any]:
    """Take Prefect's own template, and say in it all that the pool is configured with."""
    return filled(default_template(), lane)


def filled(default: Mapping[str, Any], lane: LaneConfig) -> dict[str, Any]:
    """The same, from that template of the worker."""
    pool = _pool(lane)
    secrets = {name: _secret(written) for name, written in pool.secrets.items()}
    return sized(
        default,
        lane,
        image=pool.image,
        region=pool.region,
        service_account_name=pool.service_account,
        vpc_connector_name=pool.vpc_connector,
        env_from_secrets=secrets or None,
        timeout=int(pool.deadline.total_seconds()),
        max_retries=0,  # what comes next is decided by the router alone
    )


def environment(lane: LaneConfig) -> Mapping[str, str]:
    """What all runs of the lane find in their environment."""
    return ENDED_BY_SIGTERM | _pool(lane).env


def job_variables() -> dict[str, Any]:
    """Say nothing: the template holds it all."""
    return {}


def trouble(_lane: LaneConfig) -> str | None:
    """What is missing to deploy it."""
    return lacking("cloud-run-v2")


def default_template() -> dict[str, Any]:
    """As the installed worker has it."""
    from prefect_gcp.workers.cloud_run_v2 import CloudRunWorkerV2  # noqa: PLC0415 - an optional package

    template: dict[str, Any] = CloudRunWorkerV2.get_default_base_job_template()
    return template


def _secret(written: str) -> dict[str, str]:
    secret, _, version = written.partition(":")
    return {"secret": secret, "version": version}


def _pool(lane: LaneConfig) -> CloudRunPool:
    if not isinstance(lane.pool, CloudRunPool):
        raise TypeError(f"a pool of type {lane.pool.type} is none of Cloud Run")
    return lane.pool
