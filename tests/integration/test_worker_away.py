"""Who is away: Prefect's server from a worker whose processes wait, or a worker with all its processes from Prefect."""

import asyncio
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import psutil
import pytest
from prefect.client.orchestration import PrefectClient

from flows.deploying.automations import automations, put_automation
from flows.deploying.deployments import HEARTBEAT_SECONDS
from tests.e2e.site import eventually
from tests.integration import worker_flows
from tests.integration.test_worker import Site, environ, serving, settings_of, site, told, waiting, working

pytestmark = pytest.mark.integration
__all__ = ["environ", "site"]  # fixtures

ENV = {"PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(HEARTBEAT_SECONDS)}
AWAY_SECONDS = 5  # some polls of the worker, which hears of no run otherwise


async def test_what_waited_while_prefects_server_was_away_takes_the_next_run(tmp_path: Path) -> None:
    environ, server = settings_of(tmp_path), ExitStack()
    server.enter_context(serving(environ))
    with server, working(environ, tmp_path / "worker.log") as worker:
        async with PrefectClient(environ["PREFECT_API_URL"]) as client:
            site = Site(client, tmp_path)
            first, _ = await site.submit(worker_flows.slow, env=ENV, seconds=0)
            assert await site.ended(first) == ("COMPLETED", None)
            (parked,) = eventually(lambda: waiting(worker), "another waits")

            server.close()
            await asyncio.sleep(AWAY_SECONDS)
            server.enter_context(serving(environ))
            run, begun = await site.submit(worker_flows.slow, env=ENV, seconds=0)

            assert await site.ended(run) == ("COMPLETED", None)
            assert told(begun)["pid"] == parked.pid


async def test_a_run_that_is_gone_with_its_worker_is_crashed_by_the_automation(
    environ: dict[str, str], tmp_path: Path, site: Site
) -> None:
    with working(environ, tmp_path / "worker.log") as worker:
        first, _ = await site.submit(worker_flows.slow, env=ENV, seconds=0)
        assert await site.ended(first) == ("COMPLETED", None)
        deployment = (await site.client.read_flow_run(first)).deployment_id
        assert deployment is not None
        _, gone, _ = automations([deployment], uuid4())
        sooner = gone.trigger.model_copy(update={"within": timedelta(seconds=10)})
        await put_automation(site.client, gone.model_copy(update={"trigger": sooner}))

        run, begun = await site.submit(worker_flows.slow, env=ENV, seconds=600)
        told(begun)
        for process in [psutil.Process(worker.pid), *psutil.Process(worker.pid).children(recursive=True)]:
            process.kill()

        assert await site.ended(run) == ("CRASHED", "no heartbeat: its process is gone")
