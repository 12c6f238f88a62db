"""A run in a child, as Prefect's own executor starts, watches and ends the processes of a process worker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import anyio
from prefect.logging import get_logger
from prefect.runner._process_manager import ProcessHandle

from worker.limits import hold_to

if TYPE_CHECKING:
    from uuid import UUID

    from anyio.abc import TaskStatus
    from prefect.client.schemas.objects import FlowRun
    from prefect.runner._control_channel import ControlChannel
    from prefect.runner._flow_run_executor import FlowRunExecutorContext

    from worker.brood import Brood
    from worker.messages import Job

AGAIN_SECONDS = 2.0

log = get_logger("workers.process.executing")


def cancel_one_by_one(context: FlowRunExecutorContext) -> None:
    """Try to cancel a run until it has ended; Prefect's own tries once, and what fails then ends all other runs too."""
    theirs = context._cancellation_manager.cancel_by_id

    async def cancel(flow_run_id: UUID) -> None:
        while context.process_manager.get(flow_run_id) is not None:
            try:
                await theirs(flow_run_id)
            except Exception as error:  # noqa: BLE001 - it is the trouble of this run alone
                log.warning("the run %s is not cancelled yet: %s: %s", flow_run_id, type(error).__name__, error)
                await asyncio.sleep(AGAIN_SECONDS)
            else:
                return

    vars(context._cancellation_manager)["cancel_by_id"] = cancel


@dataclass(frozen=True, slots=True)
class ChildStarter:
    """Prefect's `ProcessStarter`. `begun` is told the number of the process, which may take `most_bytes` of memory."""

    brood: Brood
    job: Job
    channel: ControlChannel
    most_bytes: int | None
    begun: Callable[[int], object]

    async def start(
        self, flow_run: FlowRun, task_status: TaskStatus[ProcessHandle] = anyio.TASK_STATUS_IGNORED
    ) -> None:
        """Give the run to a child, and return when that has ended."""
        child = await self.brood.give(replace(self.job, environ={**self.job.environ, **self._way_back(flow_run)}))
        self.begun(child.pid)
        task_status.started(ProcessHandle(cast("Any", child), termination_scope=child))
        if self.most_bytes is not None:
            await hold_to(child, self.most_bytes)
        await child.ended.wait()

    def _way_back(self, flow_run: FlowRun) -> dict[str, str]:
        """Where the run says that it has dealt with its own end, and is told that it is cancelled."""
        try:
            port, token = self.channel.register(flow_run.id)
        except RuntimeError:  # Prefect could not listen: then its exit code has to do, as with Prefect's own worker
            return {}
        return {"PREFECT__CONTROL_PORT": str(port), "PREFECT__CONTROL_TOKEN": token}
