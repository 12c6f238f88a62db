"""What Prefect must know before the router may submit: pools, queues, deployments, the webhook, the automations.

A lane has a work pool, a queue of the same name in it, and a deployment of the flow `ingest`; previews go with the lane
priority. Safe to repeat: what is there is compared and changed only where it differs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prefect.client.orchestration import get_client

from flows.deploying.automations import automations, put_automation
from flows.deploying.deployments import ENTRYPOINT, deployed, put_deployment, wanted_of
from flows.deploying.pools import check_pool, give_back_stranded, put_pool, put_queue
from flows.deploying.webhook import put_webhook
from schemas.config.lanes import LANES

if TYPE_CHECKING:
    from uuid import UUID

    from schemas.config import Config


async def deploy(
    config: Config, *, webhook_url: str, webhook_secret: str, entrypoint: str = ENTRYPOINT
) -> tuple[str, ...]:
    """Create or update everything at `PREFECT_API_URL`; a line for each thing: created, changed or unchanged.

    `entrypoint` is another flow by the name `ingest`, for tests which stop it half-way.

    Raises:
        DeployError: a lane lacks what its type of pool needs.
    """
    async with get_client() as client:
        lines: list[str] = []
        deployments: list[UUID] = []
        for lane in LANES:
            check_pool(lane, config.lanes.of(lane))
        for lane in LANES:
            lines.append(await put_pool(client, lane, config.lanes.of(lane)))
            lines.append(await put_queue(client, lane))
        for one in deployed(entrypoint):
            deployment, line = await put_deployment(client, one, wanted_of(one, config.lanes.of(one.lane)))
            deployments.append(deployment)
            lines.append(line)
        lines += await give_back_stranded(client, deployments)
        block_id, line = await put_webhook(webhook_url, webhook_secret)
        lines.append(line)
        for automation in automations(deployments, block_id):
            lines.append(await put_automation(client, automation))
        return tuple(lines)
