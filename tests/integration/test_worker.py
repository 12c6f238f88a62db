"""`autoloader worker` around Prefect's own worker, with a server of their own: no run is killed without a word."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import WorkPoolCreate

from flows.infrastructure import process
from schemas.config.lanes import LaneConfig
from tests.e2e.site import PROJECT, eventually, free_port
from tests.integration.slow_flow import slow

pytestmark = pytest.mark.integration

POOL = "autoloader-priority"


@pytest.fixture(scope="module")
def environ(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """For programs that use a Prefect server of this module alone."""
    home, port = tmp_path_factory.mktemp("prefect"), str(free_port())
    settings = {"PREFECT_HOME": str(home), "PREFECT_SERVER_API_PORT": port, "PREFECT_WORKER_QUERY_SECONDS": "1"}
    settings |= {"PREFECT_API_URL": f"http://127.0.0.1:{port}/api", "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
    settings |= {"PREFECT_WORKER_WEBSERVER_HOST": "127.0.0.1", "PREFECT_WORKER_WEBSERVER_PORT": str(free_port())}
    settings |= {"DO_NOT_TRACK": "1", "PYTHONPATH": str(PROJECT), "PYSPARK_PYTHON": sys.executable}
    environ = {**os.environ, **settings}
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", port]
    with running(command, environ, home / "server.log"):
        eventually(lambda: answers(f"{settings['PREFECT_API_URL']}/health"), "Prefect's server answers")
        yield environ


@contextmanager
def running(command: list[str], environ: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A program that is there while this lasts."""
    with log.open("wb") as output:
        program = subprocess.Popen(command, env=environ, stdout=output, stderr=subprocess.STDOUT)
        try:
            yield program
        finally:
            program.terminate()
            program.wait(60)


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5, trust_env=False).is_success
    except httpx.HTTPError:
        return False


async def submitted(client: PrefectClient, seconds: float, begun: Path) -> UUID:
    """A run of the slow flow, in the pool of the lane."""
    pool = WorkPoolCreate(name=POOL, type="process", base_job_template=process.template(LaneConfig()))
    await client.create_work_pool(pool, overwrite=True)
    deployment = await client.create_deployment(
        flow_id=await client.create_flow(slow),
        name="slow",
        work_pool_name=POOL,
        entrypoint="tests.integration.slow_flow.slow",
        job_variables=process.job_variables(),
    )
    parameters = {"seconds": seconds, "begun": str(begun)}
    run = await client.create_flow_run_from_deployment(deployment, parameters=parameters)
    return run.id


@pytest.mark.parametrize(
    ("seconds", "drain", "state", "said"),
    [(5, 60, "COMPLETED", None), (600, 1, "CRASHED", "Execution was aborted by a termination signal.")],
    ids=["finishes", "is told to end"],
)
async def test_a_run_has_ended_before_its_worker_has(
    environ: dict[str, str], tmp_path: Path, seconds: float, drain: float, state: str, said: str | None
) -> None:
    command = [sys.executable, "-m", "cli.main", "worker", "priority", "--limit", "1", "--drain", str(drain)]
    begun = tmp_path / "begun"
    with running(command, environ, tmp_path / "worker.log") as worker:
        async with PrefectClient(environ["PREFECT_API_URL"]) as client:
            run = await submitted(client, seconds, begun)
            eventually(begun.exists, "the run has begun")

            worker.send_signal(signal.SIGTERM)

            assert worker.wait(60) == 0
            found = (await client.read_flow_run(run)).state
    assert found is not None
    assert (found.type.value, found.message) == (state, said)
