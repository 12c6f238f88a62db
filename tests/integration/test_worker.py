"""`autoloader worker`, with a server of their own: each run in a process of its own that was ready before, and no run
is killed without a word."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import psutil
import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId
from prefect.states import Cancelling

from flows.infrastructure import process
from schemas.config.lanes import LaneConfig
from tests.e2e.site import PROJECT, eventually, free_port
from tests.integration import worker_flows

pytestmark = pytest.mark.integration

POOL = "autoloader-priority"


@pytest.fixture(scope="module")
def environ(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """For programs that use a Prefect server of this module alone."""
    environ = settings_of(tmp_path_factory.mktemp("prefect"))
    with serving(environ):
        yield environ


def settings_of(home: Path) -> dict[str, str]:
    """For programs that use a Prefect server with this home, and no ledger: workers ask by themselves."""
    port = str(free_port())
    settings = {"PREFECT_HOME": str(home), "PREFECT_SERVER_API_PORT": port}
    settings |= {"PREFECT_API_URL": f"http://127.0.0.1:{port}/api", "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
    settings |= {"PREFECT_WORKER_WEBSERVER_HOST": "127.0.0.1", "PREFECT_WORKER_WEBSERVER_PORT": "0"}
    settings |= {"DO_NOT_TRACK": "1", "PYTHONPATH": str(PROJECT), "PYSPARK_PYTHON": sys.executable}
    return {**os.environ, **settings}


@contextmanager
def serving(environ: Mapping[str, str]) -> Iterator[None]:
    """Prefect's server."""
    home, port = Path(environ["PREFECT_HOME"]), environ["PREFECT_SERVER_API_PORT"]
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", port]
    with running(command, environ, home / "server.log"):
        eventually(lambda: answers(f"{environ['PREFECT_API_URL']}/health"), "Prefect's server answers")
        yield


@contextmanager
def running(command: list[str], environ: Mapping[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
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


@contextmanager
def working(environ: Mapping[str, str], log: Path, *options: str, limit: int = 1) -> Iterator[subprocess.Popen[bytes]]:
    """A worker of the pool, of which as many processes wait as it has slots."""
    command = [sys.executable, "-m", "cli.main", "worker", "priority", "--limit", str(limit), *options]
    with running(command, environ, log) as worker:
        eventually(lambda: len(waiting(worker)) == limit, "its processes wait")
        yield worker


def zygote(worker: subprocess.Popen[bytes]) -> psutil.Process:
    (found,) = psutil.Process(worker.pid).children()
    return found


def waiting(worker: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """The processes of its runs, and those that wait for one."""
    return [child for one in psutil.Process(worker.pid).children() for child in one.children()]


@dataclass
class Site:
    """Prefect's server, as a router and a person see it."""

    client: PrefectClient
    folder: Path
    submitted: int = 0

    async def submit(self, flow: Any, *, env: Mapping[str, str] = {}, **parameters: Any) -> tuple[UUID, Path]:
        """A run in the pool of the lane, and the file in which it tells that it has begun."""
        pool = WorkPoolCreate(name=POOL, type="process", base_job_template=process.template(LaneConfig()))
        await self.client.create_work_pool(pool, overwrite=True)
        deployment = await self.client.create_deployment(
            flow_id=await self.client.create_flow(flow),
            name=flow.fn.__name__,
            work_pool_name=POOL,
            entrypoint=f"tests.integration.worker_flows.{flow.fn.__name__}",
            job_variables={**process.job_variables(), "env": dict(env)},
        )
        self.submitted += 1
        begun = self.folder / f"begun-{self.submitted}"
        run = await self.client.create_flow_run_from_deployment(
            deployment, parameters={**parameters, "begun": str(begun)}
        )
        return run.id, begun

    async def ended(self, run: UUID) -> tuple[str, str | None]:
        """How it ended, and what was said of it."""
        with httpx.Client(base_url=str(self.client.api_url), trust_env=False) as http:

            def state() -> dict[str, Any] | None:
                found = http.get(f"/flow_runs/{run}").json()["state"]
                return found if found["type"] in {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"} else None

            found = eventually(state, "the run ends")
        return found["type"], found["message"]

    async def logs(self, run: UUID) -> str:
        wanted = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run]))
        return "\n".join(log.message for log in await self.client.read_logs(wanted))


@pytest.fixture
async def site(environ: Mapping[str, str], tmp_path: Path) -> AsyncIterator[Site]:
    async with PrefectClient(environ["PREFECT_API_URL"]) as client:
        yield Site(client, tmp_path)


def is_there(path: str) -> bool:
    return Path(path).exists()


def told(begun: Path) -> dict[str, Any]:
    eventually(begun.exists, "the run has begun")
    found: dict[str, Any] = json.loads(begun.read_text())
    return found


async def test_a_run_is_in_a_process_that_waited_and_has_its_environment_its_folder_and_its_logs(
    environ: dict[str, str], tmp_path: Path, site: Site
) -> None:
    env = {"OF_THE_RUN": "here", "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30"}
    with working(environ, tmp_path / "worker.log") as worker:
        first, begun = await site.submit(worker_flows.slow, env=env, seconds=0)
        assert await site.ended(first) == ("COMPLETED", None)
        eventually(lambda: [one.pid for one in waiting(worker)] != [told(begun)["pid"]], "another waits")
        (parked,) = eventually(lambda: waiting(worker), "it waits for the next")

        second, begun = await site.submit(worker_flows.slow, env=env, seconds=5)  # long enough to be told of
        seen, ended = told(begun), await site.ended(second)

        found = await site.client.read_flow_run(second)
    logs = await site.logs(second)  # a worker sends its lines every two seconds, and at its end
    assert ended == ("COMPLETED", None)
    assert seen["pid"] == parked.pid
    assert found.infrastructure_pid == str(parked.pid)
    assert seen["environ"].items() >= env.items()
    assert not is_there(seen["folder"])
    assert f"begun in process {parked.pid}" in logs
    assert "submitting flow run" in logs


@pytest.mark.parametrize(
    ("flow", "state", "said"),
    [
        (worker_flows.raises, "FAILED", "Flow run encountered an exception: ValueError: no such thing"),
        (worker_flows.leaves, "CRASHED", "Process exited with status code: 3."),
        (worker_flows.eats, "CRASHED", "Process exited with status code: -9."),
    ],
    ids=["raises", "leaves", "eats"],
)
async def test_how_a_run_ended_is_told(
    environ: dict[str, str], tmp_path: Path, site: Site, flow: Any, state: str, said: str
) -> None:
    with working(environ, tmp_path / "worker.log", "--memory", "400MiB", limit=2):
        run, _ = await site.submit(flow)
        beside, _ = await site.submit(worker_flows.slow, seconds=3)

        found, message = await site.ended(run)

        assert (found, (message or "")[: len(said)]) == (state, said)
        assert await site.ended(beside) == ("COMPLETED", None)


async def test_a_run_that_is_killed_has_crashed(environ: dict[str, str], tmp_path: Path, site: Site) -> None:
    with working(environ, tmp_path / "worker.log"):
        run, begun = await site.submit(worker_flows.slow, seconds=600)

        os.kill(told(begun)["pid"], signal.SIGKILL)
        state, message = await site.ended(run)

    assert state == "CRASHED"
    assert (message or "").startswith("Process exited with status code: -9.")


async def test_a_run_that_is_cancelled_ends(environ: dict[str, str], tmp_path: Path, site: Site) -> None:
    with working(environ, tmp_path / "worker.log"):
        run, begun = await site.submit(worker_flows.slow, seconds=600)
        process = psutil.Process(told(begun)["pid"])

        await site.client.set_flow_run_state(run, Cancelling())
        state, _ = await site.ended(run)

        assert state == "CANCELLED"
        eventually(lambda: not process.is_running(), "its process has ended")


@pytest.mark.parametrize(
    ("seconds", "drain", "state", "said"),
    [(5, 60, "COMPLETED", None), (600, 1, "CRASHED", "Execution was aborted by a termination signal.")],
    ids=["finishes", "is told to end"],
)
async def test_a_run_has_ended_before_its_worker_has(
    environ: dict[str, str], tmp_path: Path, site: Site, seconds: float, drain: float, state: str, said: str | None
) -> None:
    with working(environ, tmp_path / "worker.log", "--drain", str(drain)) as worker:
        run, begun = await site.submit(worker_flows.slow, seconds=seconds)
        told(begun)
        processes = psutil.Process(worker.pid).children(recursive=True)

        worker.send_signal(signal.SIGTERM)

        assert worker.wait(60) == 0
        found = (await site.client.read_flow_run(run)).state
        eventually(lambda: not any(one.is_running() for one in processes), "nothing of it is left")
    assert found is not None
    assert (found.type.value, found.message) == (state, said)


@pytest.mark.parametrize("victim", ["worker", "zygote"])
async def test_a_run_finishes_though_its_worker_or_the_zygote_is_killed(
    environ: dict[str, str], tmp_path: Path, site: Site, victim: str
) -> None:
    with working(environ, tmp_path / "worker.log", limit=2) as worker:
        run, begun = await site.submit(worker_flows.slow, seconds=5)
        told(begun)
        processes = psutil.Process(worker.pid).children(recursive=True)

        (psutil.Process(worker.pid) if victim == "worker" else zygote(worker)).kill()

        assert await site.ended(run) == ("COMPLETED", None)
        assert worker.wait(60) == (-9 if victim == "worker" else 1)
        eventually(lambda: not any(one.is_running() for one in processes), "nothing of it is left")


async def test_a_process_that_dies_while_it_waits_is_replaced(
    environ: dict[str, str], tmp_path: Path, site: Site
) -> None:
    with working(environ, tmp_path / "worker.log") as worker:
        (parked,) = waiting(worker)
        parked.kill()

        run, _ = await site.submit(worker_flows.slow, seconds=0)

        assert await site.ended(run) == ("COMPLETED", None)
        eventually(lambda: len(waiting(worker)) == 1, "another waits")


async def test_two_workers_of_a_pool_carry_out_each_run_once(
    environ: dict[str, str], tmp_path: Path, site: Site
) -> None:
    with working(environ, tmp_path / "one.log", limit=2), working(environ, tmp_path / "two.log", limit=2):
        runs = [await site.submit(worker_flows.slow, seconds=0) for _ in range(10)]

        assert [await site.ended(run) for run, _ in runs] == [("COMPLETED", None)] * 10
        found = [await site.client.read_flow_run(run) for run, _ in runs]
    assert [run.run_count for run in found] == [1] * 10
    assert len({told(begun)["pid"] for _, begun in runs}) == 10
