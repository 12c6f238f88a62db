"""The deployments: the flow `ingest` in every lane, previews where nothing else holds them up."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prefect.client.schemas.actions import DeploymentUpdate
from prefect.exceptions import ObjectNotFound
from prefect.utilities.callables import parameter_schema

from flows import infrastructure
from flows.deploying.pools import pool_name
from flows.ingest import ingest
from flows.preview import preview
from schemas.config.lanes import LANES, SparkConf

if TYPE_CHECKING:
    from uuid import UUID

    from prefect import Flow
    from prefect.client.orchestration import PrefectClient

    from schemas.config.lanes import Lane, LaneConfig

# Module paths: a worker imports them, with nothing to pull or copy.
ENTRYPOINT = "flows.ingest.ingest"
PREVIEW_ENTRYPOINT = "flows.preview.preview"
HEARTBEAT_SECONDS = 30  # the smallest that Prefect allows


@dataclass(frozen=True, slots=True)
class Deployed:
    """A flow that the router may run in a lane."""

    flow: Flow[[str, int], None]
    lane: Lane
    entrypoint: str

    @property
    def name(self) -> str:
        """The name of the deployment, as Prefect spells it."""
        return f"{self.flow.name}/{self.lane}"


def deployed(entrypoint: str) -> tuple[Deployed, ...]:
    """All that runs: loads in every lane, previews where nothing else holds them up."""
    return (*(Deployed(ingest, lane, entrypoint) for lane in LANES), Deployed(preview, "priority", PREVIEW_ENTRYPOINT))


async def put_deployment(client: PrefectClient, one: Deployed, wanted: dict[str, Any]) -> tuple[UUID, str]:
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


def wanted_of(one: Deployed, settings: LaneConfig) -> dict[str, Any]:
    """The fields of a deployment that are ours."""
    pool = infrastructure.of(settings.pool.type)
    env = {
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(HEARTBEAT_SECONDS),
        **_spark(settings),
        **pool.environment(settings),
    }
    schema = {**parameter_schema(one.flow).model_dump_for_openapi(), "additionalProperties": False}
    return {
        "entrypoint": one.entrypoint,
        "work_pool_name": pool_name(one.lane),
        "work_queue_name": pool_name(one.lane),
        "parameter_openapi_schema": schema,
        "enforce_parameter_schema": True,
        "tags": ["autoloader"],
        "job_variables": {"env": env, **pool.job_variables()},
    }


def _spark(settings: LaneConfig) -> dict[str, str]:
    """Which Spark the runs use, as `flows.loading.session` reads it; nothing when the lane does not say."""
    match settings.spark:
        case None:
            return {}
        case SparkConf():
            return {"AUTOLOADER_SPARK": "embedded", "AUTOLOADER_SPARK_CONF": json.dumps(settings.spark.conf)}
        case _:
            return {"AUTOLOADER_SPARK": settings.spark}
