"""A lane in Google's Cloud Run: a Job of its own for each run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flows.infrastructure.containers import Containers, sized
from schemas.config.pools.cloud_run import CloudRunPool

if TYPE_CHECKING:
    from collections.abc import Mapping

    from schemas.config.lanes import LaneConfig


def fill(default: Mapping[str, Any], lane: LaneConfig, pool: CloudRunPool) -> dict[str, Any]:
    """Say the pool in that template of the worker."""
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


def default_template() -> dict[str, Any]:
    """As the installed worker has it."""
    from prefect_gcp.workers.cloud_run_v2 import CloudRunWorkerV2  # noqa: PLC0415 - an optional package

    template: dict[str, Any] = CloudRunWorkerV2.get_default_base_job_template()
    return template


def _secret(written: str) -> dict[str, str]:
    secret, _, version = written.partition(":")
    return {"secret": secret, "version": version}


CLOUD_RUN = Containers(CloudRunPool, default_template, fill)
