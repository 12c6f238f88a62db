"""The automations: a hint to the router for each run that ended, an end for those that do not find one themselves."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from prefect.client.schemas.objects import StateType
from prefect.events import AutomationCore, EventTrigger, Posture
from prefect.events.actions import CallWebhook, ChangeFlowRunState

from flows.deploying.deployments import HEARTBEAT_SECONDS

if TYPE_CHECKING:
    from uuid import UUID

    from prefect.client.orchestration import PrefectClient


ENDINGS = ("Completed", "Failed", "Crashed", "Cancelled")
GONE_SECONDS = HEARTBEAT_SECONDS * 3
CANCELLED_WITHIN_SECONDS = 60

_RUNS = {"prefect.resource.id": "prefect.flow-run.*"}
_HEARTBEAT = "prefect.flow-run.heartbeat"
_ENDED = {f"prefect.flow-run.{ending}" for ending in ENDINGS}
# Rendered by Prefect without escaping, hence `tojson`; the event alone, since a look at the run costs a request.
_PAYLOAD = (
    '{"flow_run_id": {{ event.resource.id | replace("prefect.flow-run.", "") | tojson }}, '
    '"state": {{ event.resource["prefect.state-name"] | tojson }}}'
)


def automations(deployments: list[UUID], webhook_id: UUID) -> tuple[AutomationCore, ...]:
    """A hint to the router for each run that ended; an end for each whose process is gone, or that nobody cancels."""
    ours: dict[str, str | list[str]] = {
        "prefect.resource.role": "deployment",
        "prefect.resource.id": [f"prefect.deployment.{deployment}" for deployment in deployments],
    }
    hint = EventTrigger(match=_RUNS, match_related=ours, expect=_ENDED, posture=Posture.Reactive, threshold=1)
    return (
        AutomationCore(
            name="autoloader: a run has ended",
            description="Tells the router at once; it would find out by itself within seconds.",
            trigger=hint,
            actions=[CallWebhook(block_document_id=webhook_id, payload=_PAYLOAD)],
        ),
        AutomationCore(
            name="autoloader: a run is gone",
            description="Its process was killed: no heartbeat, and no end either.",
            # killed before its first heartbeat it is gone as well
            trigger=_missing(ours, {"prefect.flow-run.Running", _HEARTBEAT}, {_HEARTBEAT, *_ENDED}, GONE_SECONDS),
            actions=[ChangeFlowRunState(state=StateType.CRASHED, message="no heartbeat: its process is gone")],
        ),
        AutomationCore(
            name="autoloader: nobody cancels a run",
            description="Its worker is away, or can end nothing that was not begun; it would hold its slot for ever.",
            trigger=_missing(ours, {"prefect.flow-run.Cancelling"}, _ENDED, CANCELLED_WITHIN_SECONDS),
            actions=[ChangeFlowRunState(state=StateType.CANCELLED, message="nobody cancelled it within a minute")],
        ),
    )


def _missing(ours: dict[str, str | list[str]], after: set[str], expect: set[str], seconds: int) -> EventTrigger:
    """What fires for a run of ours of which nothing expected came so long after something."""
    return EventTrigger(
        match=_RUNS,
        match_related=ours,
        after=after,
        expect=expect,
        for_each={"prefect.resource.id"},
        posture=Posture.Proactive,
        threshold=1,
        within=timedelta(seconds=seconds),
    )


async def put_automation(client: PrefectClient, wanted: AutomationCore) -> str:
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
