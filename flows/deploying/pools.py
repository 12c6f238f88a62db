"""A lane's work pool, and the queue of the same name in it."""

from __future__ import annotations

import itertools
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
    from collections.abc import AsyncIterator, Sequence
    from uuid import UUID

    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.objects import FlowRun, WorkPool

    from schemas.config.lanes import Lane, LaneConfig

# In the words of Prefect's own workers, which the router reads as an infrastructure's failure.
STRANDED = "Failed to submit flow run to infrastructure: its work pool was made anew, of another type"
PAGE = 200  # as many as Prefect gives at once


class DeployError(Exception):
    """Prefect cannot be told what is configured: what, and what to do."""


def pool_name(lane: Lane) -> str:
    """The name of a lane's pool, and of its queue."""
    return f"autoloader-{lane}"


def check_pool(lane: Lane, settings: LaneConfig) -> None:
    """Raise DeployError when a lane lacks what its type of pool needs."""
    if trouble := infrastructure.of(settings.pool.type).trouble(settings):
        raise DeployError(f"lanes.{lane} {trouble}")


async def put_pool(client: PrefectClient, lane: Lane, settings: LaneConfig) -> str:
    """Create or change a lane's pool; says which. One of another type is deleted first: Prefect cannot change that.

    What runs goes on; what waits in the pool is stranded, see `give_back_stranded`.
    """
    name, kind = pool_name(lane), settings.pool.type
    slots = None if settings.queues else settings.slots  # what waits for its quota would count
    template, found = infrastructure.of(kind).template(settings), await _pool(client, name)
    if found is not None and found.type == kind:
        if found.concurrency_limit == slots and found.base_job_template == template:
            return f"pool {name}: unchanged"
        await client.update_work_pool(name, WorkPoolUpdate(base_job_template=template, concurrency_limit=slots))
        return f"pool {name}: changed ({kind}, {_in_words(slots)})"
    if found is not None:
        await client.delete_work_pool(name)
    await client.create_work_pool(
        WorkPoolCreate(name=name, type=kind, base_job_template=template, concurrency_limit=slots)
    )
    made = "created" if found is None else f"made anew, it was of type {found.type}"
    return f"pool {name}: {made} ({kind}, {_in_words(slots)})"


def _in_words(slots: int | None) -> str:
    return "as many runs as its queue admits" if slots is None else f"{slots} slots"


async def _pool(client: PrefectClient, name: str) -> WorkPool | None:
    try:
        return await client.read_work_pool(name)
    except ObjectNotFound:
        return None


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
    stranded = [run.id async for run in _waiting(client, deployments) if run.work_queue_id is None]
    for run_id in stranded:
        await client.set_flow_run_state(run_id, Crashed(message=STRANDED), force=True)
    return [f"runs given back: {len(stranded)}"] if stranded else []


async def _waiting(client: PrefectClient, deployments: Sequence[UUID]) -> AsyncIterator[FlowRun]:
    """All runs that no worker has taken, page by page."""
    state = FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.SCHEDULED]))
    for offset in itertools.count(step=PAGE):
        page = await client.read_flow_runs(
            deployment_filter=DeploymentFilter(id=DeploymentFilterId(any_=list(deployments))),
            flow_run_filter=FlowRunFilter(state=state),
            limit=PAGE,
            offset=offset,
        )
        for run in page:
            yield run
        if len(page) < PAGE:
            return
