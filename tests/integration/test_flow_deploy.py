"""Prefect holds what the configuration says, and refuses what does not belong to a run."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import StateType
from prefect.settings import PREFECT_API_URL, temporary_settings

from dev.stack import Stack
from flows.deploying import deploy
from flows.deploying.pools import STRANDED, DeployError
from router.adapters.prefect.messages import cause_told
from router.adapters.prefect.runs import PrefectRuns
from router.settings import PrefectSettings
from schemas.config import Config, load_config
from schemas.config.lanes import LaneConfig
from schemas.config.pools.kubernetes import KubernetesPool, Kueue
from schemas.connections import PrefectConnection

pytestmark = pytest.mark.integration


@pytest.fixture
def prefect(stack: Stack) -> Iterator[str]:
    """The URL of the stack's Prefect, which the client library uses meanwhile."""
    url = stack.settings()["PREFECT_API_URL"]
    with temporary_settings({PREFECT_API_URL: url}):
        yield url


def configured(stack: Stack) -> Config:
    settings = stack.settings()
    return load_config(Path(settings["AUTOLOADER_CONFIG"]), settings)


def as_the_stack_did(stack: Stack) -> dict[str, str]:
    settings = stack.settings()
    url = f"http://127.0.0.1:{settings['AUTOLOADER_HTTP_PORT']}/webhooks/prefect"
    return {"webhook_url": url, "webhook_secret": settings["AUTOLOADER_WEBHOOK_SECRET"]}


@pytest.mark.usefixtures("prefect")
async def test_deploying_again_changes_nothing(stack: Stack) -> None:
    await deploy(configured(stack), **as_the_stack_did(stack))

    lines = await deploy(configured(stack), **as_the_stack_did(stack))

    assert len(lines) == 14
    assert all(line.endswith(": unchanged") for line in lines), lines


@pytest.mark.usefixtures("prefect")
async def test_a_pool_of_another_type_is_made_anew_and_what_waits_in_it_is_given_back(stack: Stack) -> None:
    config = configured(stack)
    kubernetes = config.lanes.priority.model_copy(update={"pool": KubernetesPool(image="registry.example/a:1")})
    other = config.model_copy(update={"lanes": config.lanes.model_copy(update={"priority": kubernetes})})
    stack.stop("worker-priority")
    try:
        async with get_client() as client:
            deployment = await client.read_deployment_by_name("ingest/priority")
            run = await client.create_flow_run_from_deployment(deployment.id, parameters={"batch": "b", "attempt": 1})

            lines = await deploy(other, **as_the_stack_did(stack))

            assert "pool autoloader-priority: made anew, it was of type process (kubernetes, 1 slots)" in lines
            assert "runs given back: 1" in lines
            ended = await client.read_flow_run(run.id)
            assert ended.state is not None
            assert (ended.state.type, ended.state.message) == (StateType.CRASHED, STRANDED)
            assert cause_told(STRANDED) == "infrastructure"
            assert (await client.read_deployment_by_name("ingest/priority")).work_queue_id is not None
    finally:
        await deploy(config, **as_the_stack_did(stack))
        stack.start("worker-priority")


@pytest.mark.usefixtures("prefect")
async def test_a_lane_that_stands_in_a_quota_queue_has_no_limit_in_prefect(stack: Stack) -> None:
    config = configured(stack)
    pool = KubernetesPool(image="registry.example/a:1", kueue=Kueue(queue="loads"))
    queued = config.lanes.priority.model_copy(update={"pool": pool})
    other = config.model_copy(update={"lanes": config.lanes.model_copy(update={"priority": queued})})
    stack.stop("worker-priority")
    try:
        lines = await deploy(other, **as_the_stack_did(stack))
        again = await deploy(other, **as_the_stack_did(stack))

        async with get_client() as client:
            assert (await client.read_work_pool("autoloader-priority")).concurrency_limit is None
        assert any("(kubernetes, as many runs as its queue admits)" in line for line in lines)
        assert "pool autoloader-priority: unchanged" in again
    finally:
        await deploy(config, **as_the_stack_did(stack))
        stack.start("worker-priority")


async def test_the_workers_of_a_lane_are_counted_that_are_there(prefect: str) -> None:
    runs = PrefectRuns(PrefectSettings(PrefectConnection(prefect), prefect))

    online = await runs.workers(["default", "high-memory"])

    await runs.close()
    assert online == {"default": 1, "high-memory": 1}


@pytest.mark.usefixtures("prefect")
async def test_a_lane_in_kubernetes_without_an_image_is_named_before_anything_is_changed(stack: Stack) -> None:
    config = configured(stack)
    lanes = config.lanes.model_copy(update={"default": LaneConfig(pool=KubernetesPool())})

    with pytest.raises(DeployError, match=r"lanes\.default names no image"):
        await deploy(config.model_copy(update={"lanes": lanes}), **as_the_stack_did(stack))


def test_previews_have_a_deployment_where_nothing_holds_them_up(prefect: str) -> None:
    with httpx.Client(base_url=prefect, trust_env=False) as client:
        deployment = client.get("/deployments/name/preview/priority").json()
        loads = client.get("/deployments/name/ingest/priority").json()
        automations = client.post("/automations/filter", json={}).json()

    assert deployment["entrypoint"] == "flows.preview.preview"
    assert deployment["work_queue_name"] == deployment["work_pool_name"] == "autoloader-priority"
    assert deployment["job_variables"] == loads["job_variables"]
    assert set(deployment["parameter_openapi_schema"]["properties"]) == {"batch", "attempt"}
    assert deployment["enforce_parameter_schema"]
    ours = [automation for automation in automations if automation["name"].startswith("autoloader: ")]
    assert len(ours) == 3
    assert all(f"prefect.deployment.{deployment['id']}" in str(automation["trigger"]) for automation in ours)


def test_a_run_with_a_parameter_nobody_knows_is_refused(prefect: str) -> None:
    with httpx.Client(base_url=prefect, trust_env=False) as client:
        deployment = client.get("/deployments/name/ingest/default").json()
        answer = client.post(
            f"/deployments/{deployment['id']}/create_flow_run",
            json={"parameters": {"batch": "b-1", "attempt": 1, "table": "x"}, "state": {"type": "SCHEDULED"}},
        )

    assert answer.status_code == httpx.codes.CONFLICT
    assert deployment["entrypoint"] == "flows.ingest.ingest"
    assert deployment["work_queue_name"] == deployment["work_pool_name"] == "autoloader-default"
