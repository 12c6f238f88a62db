"""Prefect's process worker, whose runs are given to children that are parked.

Of what Prefect's own does for a run, that is kept which somebody sees or needs: the claim among workers (Pending), the
limits, cancelling, the end of a process that could not tell it itself. What is no plain run of a deployment with an
entrypoint of ours is left to Prefect's own way.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
import warnings
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import httpx
from prefect.exceptions import ObjectNotFound
from prefect.flows import load_flow_from_flow_run
from prefect.runner._flow_run_executor import FlowRunExecutorContext
from prefect.states import Pending
from prefect.workers.process import ProcessJobConfiguration, ProcessWorker

from flows.infrastructure.process import COMMAND
from worker.executing import ChildStarter, cancel_one_by_one
from worker.messages import Job

if TYPE_CHECKING:
    from uuid import UUID

    from prefect.client.schemas.objects import FlowRun
    from prefect.client.schemas.responses import DeploymentResponse, WorkerFlowRunResponse

    from worker.brood import Brood

AGAIN_SECONDS = 1.0
LOOK_SECONDS = 0.1
KNOWN_SECONDS = 2.0  # runs that come together are of one deployment
FRESH_SECONDS = 0.2  # within them nobody has taken a run and ended it
TOLD_SECONDS = 3.0  # what has ended by then needs no process on its page

# That the type is taken: it is meant to be, in this program alone.
warnings.filterwarnings("ignore", message="Type 'WarmWorker'")


class WarmWorker(ProcessWorker):
    """See the module."""

    def __init__(self, brood: Brood, most_bytes: int | None, **settings: Any) -> None:
        super().__init__(**settings)
        self._brood = brood
        self._most_bytes = most_bytes
        self._polling = asyncio.Lock()
        self._is_draining = False
        self._asked = 0.0
        self._may_be_more = True
        self._known: dict[UUID, tuple[float, DeploymentResponse]] = {}
        self._executing: asyncio.Future[FlowRunExecutorContext]
        self._holding: asyncio.Task[None]

    async def setup(self) -> None:
        """Prepare the worker, as Prefect calls it."""
        self._executing = asyncio.get_running_loop().create_future()
        self._holding = asyncio.create_task(self._hold(), name="executor")
        await super().setup()
        await self._expect()
        self._brood.start()

    async def teardown(self, *exc_info: Any) -> None:
        """Clean up, as Prefect calls it."""
        await super().teardown(*exc_info)
        self._holding.cancel()
        await asyncio.wait([self._holding])

    def take_no_more(self) -> None:
        """Leave what is scheduled to others, from now on."""
        self._is_draining = True

    async def get_and_submit_flow_runs(self) -> list[FlowRun]:
        """Ask for runs, as often as somebody likes: one question at a time, so that no answer is stale."""
        async with self._polling:
            self._asked, self._may_be_more = time.monotonic(), True
            return [] if self._is_draining else await super().get_and_submit_flow_runs()

    async def finished(self) -> None:
        """Wait until no run is executed any more, and the end of each is told."""
        while self._limiter and self._limiter.borrowed_tokens:  # noqa: ASYNC110 - Prefect's limiter tells nobody when it changes
            await asyncio.sleep(LOOK_SECONDS)

    async def poll(self) -> None:
        """Ask for runs now; who is away now is asked again by the loop, and who has no slot free when one is."""
        if self._limiter and self._limiter.available_tokens < 1:
            self._may_be_more = True
            return
        with suppress(httpx.HTTPError):
            await self.get_and_submit_flow_runs()

    async def _submit_scheduled_flow_runs(self, flow_run_response: list[WorkerFlowRunResponse]) -> list[FlowRun]:
        begun = await super()._submit_scheduled_flow_runs(flow_run_response)
        self._may_be_more = len(begun) < len(flow_run_response)
        return begun

    async def _hold(self) -> None:
        """Have what runs are executed with, for the life of the worker; Prefect's own makes it for each run."""
        while True:
            try:
                async with FlowRunExecutorContext() as context:
                    cancel_one_by_one(context)
                    self._executing.set_result(context)
                    await asyncio.Event().wait()
            except Exception as error:  # noqa: BLE001 - whatever it is, runs that come wait for the next try
                self._logger.warning("What runs are executed with is made anew: %s: %s", type(error).__name__, error)
                if self._executing.done():
                    self._executing = asyncio.get_running_loop().create_future()
                await asyncio.sleep(AGAIN_SECONDS)

    async def _submit_run(self, flow_run: FlowRun) -> None:
        listed = self._asked
        try:
            deployment = await self._deployment(flow_run.deployment_id)
            of_the_run = flow_run.job_variables or {}
            configuration = None if deployment is None else await self._configuration(deployment, of_the_run)
        except httpx.HTTPError as error:  # it is scheduled still, and asked for again
            self._logger.warning("The run %s is not begun: Prefect's API does not answer: %s", flow_run.id, error)
            self._give_back(flow_run.id)
            return
        if deployment is None or configuration is None or not deployment.entrypoint:
            await super()._submit_run(flow_run)
            return
        if self._is_draining or not await self._takes(flow_run, listed):
            self._give_back(flow_run.id)
            return
        try:
            await self._execute(flow_run, deployment, configuration)
        except Exception as error:  # one run's trouble is not that of the others
            self._logger.exception("The run %s could not be carried out", flow_run.id)
            said = f"Failed to submit flow run to infrastructure: {type(error).__name__}: {error}"
            await self._propose_crashed_state(flow_run, said)
        finally:
            self._give_back(flow_run.id)
        if self._may_be_more:
            await self.poll()

    async def _execute(
        self, flow_run: FlowRun, deployment: DeploymentResponse, configuration: ProcessJobConfiguration
    ) -> None:
        context, sent = await self._executing, flow_run.model_copy(update={"state": Pending()})
        told: set[asyncio.Task[None]] = set()

        def begun(pid: int) -> None:
            self._is_not_pending(flow_run.id)
            told.add(asyncio.create_task(self._tell_process(flow_run.id, pid)))

        with tempfile.TemporaryDirectory(prefix="autoloader-run-") as folder:
            job = Job(
                flow_run=sent.model_dump_json(),
                entrypoint=str(deployment.entrypoint),
                environ=self._environ(flow_run, deployment, configuration),
                folder=str(configuration.working_dir or folder),
            )
            executor = context.create_executor(
                sent,
                ChildStarter(self._brood, job, context.control_channel, self._most_bytes, begun),
                resolve_flow=load_flow_from_flow_run,
                propose_submitting=False,
            )
            await executor.submit()
        for task in told:
            task.cancel()
        await asyncio.gather(*told, return_exceptions=True)

    async def _takes(self, flow_run: FlowRun, listed: float) -> bool:
        """Whether the run is ours. What another worker has ended since it was listed, Prefect would let begin again."""
        if time.monotonic() - listed > FRESH_SECONDS:
            try:
                state = (await self.client.read_flow_run(flow_run.id)).state
            except (httpx.HTTPError, ObjectNotFound):
                return False
            if state is None or not state.is_scheduled():
                return False
        return await self._propose_pending_state(flow_run)

    async def _deployment(self, wanted: UUID | None) -> DeploymentResponse | None:
        """As it was a moment ago; None for a run that has none, or none any more."""
        if wanted is None:
            return None
        at, found = self._known.get(wanted, (0.0, None))
        if found is None or time.monotonic() - at >= KNOWN_SECONDS:
            at = time.monotonic()
            try:
                found = await self.client.read_deployment(wanted)
            except ObjectNotFound:
                return None
            self._known[wanted] = at, found
        return found

    async def _configuration(
        self, deployment: DeploymentResponse, of_the_run: Mapping[str, Any]
    ) -> ProcessJobConfiguration | None:
        """What the job variables come to; None when they want a command of their own."""
        ours = deployment.job_variables or {}
        env = {**(ours.get("env") or {}), **(of_the_run.get("env") or {})}
        configuration: ProcessJobConfiguration = await ProcessJobConfiguration.from_template_and_values(
            base_job_template=self.work_pool.base_job_template,
            values={**ours, **of_the_run, "env": env},
            client=self.client,
        )
        return configuration if configuration.command in {None, COMMAND} else None

    async def _expect(self) -> None:
        """Have the first children wait in the environment of loads, if they are deployed by now."""
        lane = self._work_pool_name.removeprefix("autoloader-")
        with suppress(httpx.HTTPError, ObjectNotFound):
            deployment = await self.client.read_deployment_by_name(f"ingest/{lane}")
            if self._work_pool is not None and (configuration := await self._configuration(deployment, {})):
                self._brood.expect(_told(configuration.env))

    def _environ(
        self, flow_run: FlowRun, deployment: DeploymentResponse, configuration: ProcessJobConfiguration
    ) -> Mapping[str, str]:
        """What a run finds beside the environment of its worker."""
        environ = {
            **configuration._base_flow_run_environment(flow_run),
            **configuration._base_attribution_environment(
                flow_run=flow_run, deployment=deployment, worker_id=self.backend_id, worker_name=self.name
            ),
            "PREFECT__ENABLE_CANCELLATION_AND_CRASHED_HOOKS": "false",  # the worker's part
            "PREFECT__FLOW_ENTRYPOINT": str(deployment.entrypoint),
            **configuration.env,
        }
        return _told(environ)

    def _give_back(self, flow_run_id: UUID) -> None:
        """The slot is free again."""
        self._is_not_pending(flow_run_id)
        self._release_limit_slot(flow_run_id)

    def _is_not_pending(self, flow_run_id: UUID) -> None:
        """What cancels it from now on is the executor, which knows its process."""
        self._submitting_flow_run_ids.discard(flow_run_id)
        if self._cancelling_observer is not None:
            self._cancelling_observer.remove_in_flight_flow_run_id(flow_run_id)

    async def _tell_process(self, flow_run_id: UUID, pid: int) -> None:
        """Say on the page of a run that takes its time which process it is; no more than that hangs on it."""
        await asyncio.sleep(TOLD_SECONDS)
        with suppress(httpx.HTTPError, ObjectNotFound):
            await self.client.update_flow_run(flow_run_id, infrastructure_pid=str(pid))


def _told(environ: Mapping[str, str | None]) -> Mapping[str, str]:
    return {name: value for name, value in environ.items() if value is not None}
