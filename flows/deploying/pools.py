"""A lane's work pool, and the queue of the same name in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
from prefect.exceptions import ObjectNotFound

from flows import infrastructure

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

    from schemas.config.lanes import Lane, LaneConfig


class DeployError(Exception):
    """Prefect holds something that cannot be changed into what is configured: what, and what to do."""


def pool_name(lane: Lane) -> str:
    """The name of a lane's pool, and of its queue."""
    return f"autoloader-{lane}"


async def put_pool(client: PrefectClient, lane: Lane, settings: LaneConfig) -> str:
    """Create or change a lane's pool; says which. Raises DeployError when one of another type stands in the way."""
    name, kind = pool_name(lane), settings.pool.type
    template = infrastructure.of(kind).template(settings)
    try:
        found = await client.read_work_pool(name)
    except ObjectNotFound:
        await client.create_work_pool(
            WorkPoolCreate(name=name, type=kind, base_job_template=template, concurrency_limit=settings.slots)
        )
        return f"pool {name}: created ({kind}, {settings.slots} slots)"
    if found.type != kind:
        raise DeployError(
            f"pool {name} is of type {found.type}, the configuration says {kind}: stop its workers, delete it by "
            f"`prefect work-pool delete {name}`, and deploy again"
        )
    if found.concurrency_limit == settings.slots and found.base_job_template == template:
        return f"pool {name}: unchanged"
    await client.update_work_pool(name, WorkPoolUpdate(base_job_template=template, concurrency_limit=settings.slots))
    return f"pool {name}: changed ({kind}, {settings.slots} slots)"


async def put_queue(client: PrefectClient, lane: Lane) -> str:
    name = pool_name(lane)
    try:
        await client.read_work_queue_by_name(name, work_pool_name=name)
    except ObjectNotFound:
        await client.create_work_queue(name, work_pool_name=name)
        return f"queue {name}: created"
    return f"queue {name}: unchanged"
