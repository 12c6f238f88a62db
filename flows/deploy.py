"""What Prefect must know before the router may submit: pools, queues, deployments, the webhook, two automations.

A lane has a work pool, a queue of the same name in it, and a deployment of the flow `ingest`; previews go with the lane
priority. Safe to repeat: what is there is compared and changed only where it differs.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import DeploymentUpdate, WorkPoolCreate, WorkPoolUpdate
from prefect.client.schemas.objects import StateType
from prefect.events import AutomationCore, EventTrigger, Posture
from prefect.events.actions import CallWebhook, ChangeFlowRunState
from prefect.exceptions import ObjectNotFound
from prefect.utilities.callables import parameter_schema
from prefect.workers.process import ProcessWorker

from flows.infrastructure import kubernetes
from flows.ingest import ingest
from flows.preview import preview
from schemas.config import LANES

if TYPE_CHECKING:
    from uuid import UUID

    from prefect import Flow
    from prefect.client.orchestration import PrefectClient

    from schemas.config import Config, Lane, LaneConfig, SizeClass

# Module paths: a worker imports them, with nothing to pull or copy.
ENTRYPOINT = "flows.ingest.ingest"
PREVIEW_ENTRYPOINT = "flows.preview.preview"
WEBHOOK = "autoloader"
ENDINGS = ("Completed", "Failed", "Crashed", "Cancelled")
HEARTBEAT_SECONDS = 30  # the smallest that Prefect allows
MISSED_HEARTBEATS = 3

# With a command of its own a run is one process: without, the worker first starts another to copy the flow's code,
# which doubles the seconds before a run begins. The worker's own Python, where PYSPARK_PYTHON names it, or the path's.
COMMAND = """sh -c 'exec "${PYSPARK_PYTHON:-python}" -m prefect.engine'"""

# Rendered by Prefect without escaping, hence `tojson`; the event alone, since a look at the run costs a request.
_PAYLOAD = (
    '{"flow_run_id": {{ event.resource.id | replace("prefect.flow-run.", "") | tojson }}, '
    '"state": {{ event.resource["prefect.state-name"] | tojson }}}'
)


class DeployError(Exception):
    """Prefect holds something that cannot be changed into what is configured: what, and what to do."""


@dataclass(frozen=True, slots=True)
class Deployed:
    """A flow that the router may run in a lane."""

    flow: Flow[[str, int], None]
    lane: Lane
    entrypoint: str

    @property
    def name(self) -> str:
        """As Prefect spells it."""
        return f"{self.flow.name}/{self.lane}"


async def deploy(
    config: Config, *, webhook_url: str, webhook_secret: str, entrypoint: str = ENTRYPOINT
) -> tuple[str, ...]:
    """Create or update everything at `PREFECT_API_URL`; a line for each thing: created, changed or unchanged.

    `entrypoint` is another flow by the name `ingest`, for tests which stop it half-way.

    Raises:
        DeployError: a pool of another type stands in the way.
    """
    async with get_client() as client:
        lines: list[str] = []
        deployments: list[UUID] = []
        for lane in LANES:
            lines.append(await _pool(client, lane, config.lanes.of(lane), config.lanes.high_memory.classes[0]))
            lines.append(await _queue(client, lane))
        for one in deployed(entrypoint):
            deployment, line = await _deployment(client, one, _wanted(one, config.lanes.of(one.lane)))
            deployments.append(deployment)
            lines.append(line)
        block_id, line = await _webhook(webhook_url, webhook_secret)
        lines.append(line)
        for automation in automations(deployments, block_id):
            lines.append(await _automation(client, automation))  # noqa: PERF401 - one after the other
        return tuple(lines)


def pool_name(lane: Lane) -> str:
    """The name of a lane's pool, and of its queue."""
    return f"autoloader-{lane}"


def deployed(entrypoint: str) -> tuple[Deployed, ...]:
    """All that runs: loads in every lane, previews where nothing else holds them up."""
    return (*(Deployed(ingest, lane, entrypoint) for lane in LANES), Deployed(preview, "priority", PREVIEW_ENTRYPOINT))


async def _pool(client: PrefectClient, lane: Lane, settings: LaneConfig, size: SizeClass) -> str:
    name, kind = pool_name(lane), settings.pool.type
    template = (
        kubernetes.high_memory(kubernetes.default_template(), size)
        if kind == "kubernetes"
        else ProcessWorker.get_default_base_job_template()
    )
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


async def _queue(client: PrefectClient, lane: Lane) -> str:
    name = pool_name(lane)
    try:
        await client.read_work_queue_by_name(name, work_pool_name=name)
    except ObjectNotFound:
        await client.create_work_queue(name, work_pool_name=name)
        return f"queue {name}: created"
    return f"queue {name}: unchanged"


async def _deployment(client: PrefectClient, one: Deployed, wanted: dict[str, Any]) -> tuple[UUID, str]:
    try:
        found = await client.read_deployment_by_name(one.name)
    except ObjectNotFound:
        flow_id = await client.create_flow_from_name(one.flow.name)
        created = await client.create_deployment(flow_id=flow_id, name=one.lane, **wanted)
        return created, f"deployment {one.name}: created"
    if all(getattr(found, field) == value for field, value in wanted.items()):
        return found.id, f"deployment {one.name}: unchanged"
    await client.update_deployment(found.id, DeploymentUpdate(**wanted))
    return found.id, f"deployment {one.name}: changed"


def _wanted(one: Deployed, settings: LaneConfig) -> dict[str, Any]:
    """The fields of a deployment that are ours."""
    variables: dict[str, Any] = {"env": {"PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(HEARTBEAT_SECONDS)}}
    if settings.pool.type == "process":
        variables["command"] = COMMAND
    schema = {**parameter_schema(one.flow).model_dump_for_openapi(), "additionalProperties": False}
    return {
        "entrypoint": one.entrypoint,
        "work_pool_name": pool_name(one.lane),
        "work_queue_name": pool_name(one.lane),
        "parameter_openapi_schema": schema,
        "enforce_parameter_schema": True,
        "tags": ["autoloader"],
        "job_variables": variables,
    }


async def _webhook(url: str, secret: str) -> tuple[UUID, str]:
    from prefect.blocks.webhook import Webhook  # noqa: PLC0415 - registers with the server when it is imported
    from prefect.types import SecretDict  # noqa: PLC0415

    headers = {"X-Autoloader-Secret": secret, "Content-Type": "application/json"}
    try:
        found = await Webhook.aload(WEBHOOK)
    except ValueError:  # what Prefect raises when there is no such block
        found = None
    if found is not None and found._block_document_id is not None:
        same = found.url.get_secret_value() == url and found.headers.get_secret_value() == headers
        if same:
            return found._block_document_id, f"webhook {WEBHOOK}: unchanged"
    block = Webhook(method="POST", url=url, headers=SecretDict(headers))
    return await block.asave(WEBHOOK, overwrite=True), f"webhook {WEBHOOK}: {'changed' if found else 'created'}"


def automations(deployments: list[UUID], webhook_id: UUID) -> tuple[AutomationCore, AutomationCore]:
    """A hint to the router for each run that ended, and an end for each run whose process is gone without a word."""
    ours = {
        "prefect.resource.role": "deployment",
        "prefect.resource.id": [f"prefect.deployment.{deployment}" for deployment in deployments],
    }
    runs = {"prefect.resource.id": "prefect.flow-run.*"}
    endings = {f"prefect.flow-run.{ending}" for ending in ENDINGS}
    heartbeat = "prefect.flow-run.heartbeat"
    hint = AutomationCore(
        name="autoloader: a run has ended",
        description="Tells the router at once; it would find out by itself within seconds.",
        trigger=EventTrigger(match=runs, match_related=ours, expect=endings, posture=Posture.Reactive, threshold=1),
        actions=[CallWebhook(block_document_id=webhook_id, payload=_PAYLOAD)],
    )
    gone = AutomationCore(
        name="autoloader: a run is gone",
        description="Its process was killed: no heartbeat, and no end either.",
        trigger=EventTrigger(
            match=runs,
            match_related=ours,
            after={"prefect.flow-run.Running", heartbeat},  # killed before its first heartbeat it is gone as well
            expect={heartbeat, *endings},
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=timedelta(seconds=HEARTBEAT_SECONDS * MISSED_HEARTBEATS),
        ),
        actions=[ChangeFlowRunState(state=StateType.CRASHED, message="no heartbeat: its process is gone")],
    )
    return hint, gone


async def _automation(client: PrefectClient, wanted: AutomationCore) -> str:
    found = await client.read_automations_by_name(wanted.name)
    if not found:
        await client.create_automation(wanted)
        return f"automation {wanted.name!r}: created"
    for surplus in found[1:]:
        await client.delete_automation(surplus.id)
    if AutomationCore.model_validate(found[0].model_dump()) == wanted:
        return f"automation {wanted.name!r}: unchanged"
    await client.update_automation(found[0].id, wanted)
    return f"automation {wanted.name!r}: changed"
