"""Prefect holds what the configuration says, and refuses what does not belong to a run."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from dev.stack import Stack
from flows.deploying import deploy
from flows.deploying.pools import DeployError
from schemas.config import Config, load_config

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

    assert len(lines) == 13
    assert all(line.endswith(": unchanged") for line in lines), lines


@pytest.mark.usefixtures("prefect")
async def test_a_pool_of_another_type_is_named_with_what_to_do(stack: Stack) -> None:
    config = configured(stack)
    kubernetes = config.lanes.default.model_copy(
        update={"pool": config.lanes.default.pool.model_copy(update={"type": "kubernetes"})}
    )
    other = config.model_copy(update={"lanes": config.lanes.model_copy(update={"default": kubernetes})})

    with pytest.raises(DeployError, match="pool autoloader-default is of type process"):
        await deploy(other, **as_the_stack_did(stack))


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
    assert len(ours) == 2
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
