"""A lane in Amazon's Elastic Container Service: a task of its own for each run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flows.infrastructure.containers import Containers, sized
from schemas.config.pools.ecs import EcsPool
from schemas.config.sizes import GIB

if TYPE_CHECKING:
    from collections.abc import Mapping

    from schemas.config.lanes import LaneConfig


def fill(default: Mapping[str, Any], lane: LaneConfig, pool: EcsPool) -> dict[str, Any]:
    """Say the pool in that template of the worker."""
    ours = sized(
        default,
        lane,
        image=pool.image,
        cluster=pool.cluster,
        launch_type=pool.launch_type,
        execution_role_arn=pool.execution_role,
        task_role_arn=pool.task_role,
        vpc_id=pool.vpc,
        network_configuration=_network(pool) if pool.subnets else None,
    )
    task = ours["job_configuration"]["task_definition"]
    if pool.secrets:
        secrets = [{"name": name, "valueFrom": arn} for name, arn in pool.secrets.items()]
        task["containerDefinitions"][0]["secrets"] = secrets
    if pool.scratch is not None:
        task["ephemeralStorage"] = {"sizeInGiB": pool.scratch // GIB}
    return ours


def default_template() -> dict[str, Any]:
    """As the installed worker has it."""
    from prefect_aws.workers import ECSWorker  # noqa: PLC0415 - an optional package

    template: dict[str, Any] = ECSWorker.get_default_base_job_template()
    return template


def _network(pool: EcsPool) -> dict[str, Any]:
    return {
        "subnets": list(pool.subnets),
        "securityGroups": list(pool.security_groups),
        "assignPublicIp": "ENABLED" if pool.public_ip else "DISABLED",
    }


ECS = Containers(EcsPool, default_template, fill)
