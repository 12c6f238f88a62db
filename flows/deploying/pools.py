"""A lane's work pool, and the queue of the same name in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterId,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import StateType
from prefect.exceptions import ObjectNotFound
from prefect.states import Crashed

from flows import infrastructure

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from prefect.client.orchestration import PrefectClient

    from schemas.config.lanes import Lane, LaneConfig

# In the words of Prefect's own workers, which the router reads as an infrastructure's failure.
STRANDED = "Failed to submit flow run to infrastructure: its work pool was made anew, of another type"


class DeployError(Exception):
    """Prefect cannot be told what is configured: what, and what to do."""


def pool_name(lane: Lane) -> str:
    """The name of a lane's pool, and of its queue."""
    return f"autoloader-{lane}"


async def put_pool(client: PrefectClient, lane: Lane, settings: LaneConfig) -> str:
    """Create or change a lane's pool; says which. One of another type is deleted first: Prefect cannot change that.

    What runs goes on; what waits in the pool is stranded, see `give_back_stranded`.
    """
    name, kind = pool_name(lane), settings.pool.type
    template = infrastructure.of(kind).template(settings)
    made = "created"
    try:
        found = await client.read_work_pool(name)
    except ObjectNotFound:
        pass
    else:
        if found.type == kind:
            if found.concurrency_limit == settings.slots and found.base_job_template == template:
                return f"pool {name}: unchanged"
            update = WorkPoolUpdate(base_job_template=template, concurrency_limit=settings.slots)
            await client.update_work_pool(name, update)
            return f"pool {name}: changed ({kind}, {settings.slots} slots)"
        await client.delete_work_pool(name)
        made = f"made anew, it was of type {found.type}"
    await client.create_work_pool(
        WorkPoolCreate(name=name, type=kind, base_job_template=template, concurrency_limit=settings.slots)
    )
    return f"pool {name}: {made} ({kind}, {settings.slots} slots)"


async def put_queue(client: PrefectClient, lane: Lane) -> str:
    name = pool_name(lane)
    try:
        await client.read_work_queue_by_name(name, work_pool_name=name)
    except ObjectNotFound:
        await client.create_work_queue(name, work_pool_name=name)
        return f"queue {name}: created"
    return f"queue {name}: unchanged"


async def give_back_stranded(client: PrefectClient, deployments: Sequence[UUID]) -> list[str]:
    """Crash the runs that wait in no queue since their pool was deleted: the router submits their batches again."""
    waiting = await client.read_flow_runs(
        deployment_filter=DeploymentFilter(id=DeploymentFilterId(any_=list(deployments))),
        flow_run_filter=FlowRunFilter(
            state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.SCHEDULED]))
        ),
    )
    stranded = [run for run in waiting if run.work_queue_id is None]
    for run in stranded:
        await client.set_flow_run_state(run.id, Crashed(message=STRANDED), force=True)
    return [f"runs given back: {len(stranded)}"] if stranded else []
