"""Jobs of runs that nobody wants any more are deleted: Prefect's worker forgets a Job as soon as it has made it.

Source: `BaseWorker._submit_run` of Prefect 3.9 takes a submitted run out of those whose cancellation it observes. A pod
that is not scheduled, or whose image is missing, would wait for the end of its lane's deadline.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta

import aiohttp
import structlog
from kubernetes_asyncio import client, config

from flows.infrastructure.kubernetes import LABELS
from router.adapters.prefect.runs import PrefectRuns
from router.errors import Refused, Transient
from router.rules.recovery import RunState
from router.settings import PrefectSettings
from schemas.connections import PrefectConnection

EVERY_SECONDS = 10.0
REQUEST_SECONDS = 30
RUN = "prefect.io/flow-run-id"
NAMESPACES = "PREFECT_INTEGRATIONS_KUBERNETES_OBSERVER_NAMESPACES"
# How long a run may take to end by itself after it was told to, and how long a pod after its run has ended.
ENDING = timedelta(seconds=20)
ENDED = timedelta(minutes=2)
TROUBLES = (Transient, Refused, TimeoutError, aiohttp.ClientError, client.ApiException, config.ConfigException)

log = structlog.get_logger()


def is_over(state: RunState) -> bool:
    """Whether nobody waits any more for what a run's pod does."""
    if state.phase in {"cancelling", "cancelled"}:
        return state.age >= ENDING
    return state.phase in {"completed", "failed", "crashed"} and state.age >= ENDED


@contextmanager
def reaping(prefect: PrefectConnection, environ: Mapping[str, str]) -> Iterator[None]:
    """As long as this lasts a thread deletes the Jobs of runs that are over, in the namespaces a worker observes."""
    told = threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(_reap(prefect, environ, told)), name="reaper", daemon=True)
    thread.start()
    try:
        yield
    finally:
        told.set()
        thread.join(REQUEST_SECONDS)


async def _reap(prefect: PrefectConnection, environ: Mapping[str, str], told: threading.Event) -> None:
    runs, trouble = PrefectRuns(PrefectSettings(prefect, prefect.api_url)), ""
    while not await asyncio.to_thread(told.wait, EVERY_SECONDS):
        before, trouble = trouble, ""
        try:
            async with asyncio.timeout(REQUEST_SECONDS), _cluster() as jobs:
                await reap(runs, jobs, environ.get(NAMESPACES, ""))
        except TROUBLES as error:
            trouble = f"{type(error).__name__}: {error}"
            if trouble != before:
                log.warning("jobs_not_looked_at", trouble=trouble)
    await runs.close()


@asynccontextmanager
async def _cluster() -> AsyncIterator[client.BatchV1Api]:
    """The cluster as it is configured now: a token is changed within the life of a worker."""
    await config.load_config()
    async with client.ApiClient() as kubernetes:
        yield client.BatchV1Api(kubernetes)


async def reap(runs: PrefectRuns, jobs: client.BatchV1Api, namespaces: str) -> None:
    """Delete the unfinished Jobs of runs that are over, in these namespaces (with commas; none: all there are).

    Raises one of TROUBLES: the first that a Job gave, after the others.
    """
    found = [job for job in await _unfinished(jobs, namespaces) if _is_ours(job)]
    states = await runs.states([job.metadata.labels[RUN] for job in found])
    troubles: list[Exception] = []
    for job in found:
        run = job.metadata.labels[RUN]
        if not is_over(states[run]):
            continue
        try:
            await _delete(jobs, job)
            if states[run].phase == "cancelling":
                await runs.cancel(run, "its Job is deleted")
        except TROUBLES as trouble:
            troubles.append(trouble)
    if troubles:
        raise troubles[0]


async def _delete(jobs: client.BatchV1Api, job: client.V1Job) -> None:
    name, namespace = job.metadata.name, job.metadata.namespace
    try:
        await jobs.delete_namespaced_job(name, namespace, propagation_policy="Background")
    except client.ApiException as error:
        if error.status != 404:  # another worker was faster
            raise
    log.info("job_deleted", job=name, namespace=namespace, run=job.metadata.labels[RUN])


async def _unfinished(jobs: client.BatchV1Api, namespaces: str) -> list[client.V1Job]:
    names = [name.strip() for name in namespaces.split(",") if name.strip()]
    asked = [jobs.list_namespaced_job(name, label_selector=RUN) for name in names]
    lists = [await one for one in asked or [jobs.list_job_for_all_namespaces(label_selector=RUN)]]
    return [job for one in lists for job in one.items if job.status.completion_time is None and not _has_failed(job)]


def _has_failed(job: client.V1Job) -> bool:
    return any(one.type == "Failed" and one.status == "True" for one in job.status.conditions or ())


def _is_ours(job: client.V1Job) -> bool:
    labels: Mapping[str, str] = job.spec.template.metadata.labels or {}
    return labels.items() >= LABELS.items()
