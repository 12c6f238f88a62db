"""Jobs whose run is over, by a Kubernetes API played by an object."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from kubernetes_asyncio import client, config
from structlog.testing import capture_logs

from cli import reaping
from cli.reaping import ENDED, ENDING, RUN, reap
from flows.infrastructure.kubernetes import LABELS
from router.rules.recovery import RunPhase, RunState
from schemas.connections import prefect_connection

SOON = timedelta(seconds=5)
THEN = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Runs:
    """Of `router.adapters.prefect.runs.PrefectRuns` what is asked here."""

    known: Mapping[str, RunState]
    cancelled: list[str] = field(default_factory=list)

    async def states(self, run_ids: Sequence[str]) -> Mapping[str, RunState]:
        return {run: self.known.get(run, RunState("gone")) for run in run_ids}

    async def cancel(self, run_id: str, _reason: str) -> None:
        self.cancelled.append(run_id)


@dataclass
class Jobs:
    """Of `BatchV1Api` what is asked here."""

    there: list[client.V1Job]
    deleted: list[str] = field(default_factory=list)
    refusal: int | None = None

    async def list_namespaced_job(self, namespace: str, **_: Any) -> Any:
        return SimpleNamespace(items=[job for job in self.there if job.metadata.namespace == namespace])

    async def list_job_for_all_namespaces(self, **_: Any) -> Any:
        return SimpleNamespace(items=self.there)

    async def delete_namespaced_job(self, name: str, _namespace: str, **_: Any) -> None:
        if self.refusal and name == "job-of-a":
            raise client.ApiException(status=self.refusal)
        self.deleted.append(name)


def job(run: str, *, labels: Mapping[str, str] = LABELS, namespace: str = "ours", condition: str = "") -> client.V1Job:
    ended = [client.V1JobCondition(type=condition, status="True")] if condition else None
    template = client.V1PodTemplateSpec(metadata=client.V1ObjectMeta(labels=dict(labels)))
    return client.V1Job(
        metadata=client.V1ObjectMeta(name=f"job-of-{run}", namespace=namespace, labels={RUN: run}),
        spec=client.V1JobSpec(template=template),
        status=client.V1JobStatus(conditions=ended, completion_time=THEN if condition == "Complete" else None),
    )


async def reaped(*there: client.V1Job, namespaces: str = "ours", **known: RunState) -> tuple[list[str], list[str]]:
    runs, jobs = Runs(known), Jobs(list(there))
    await reap(runs, jobs, namespaces)  # type: ignore[arg-type]  # they are played
    return jobs.deleted, runs.cancelled


@pytest.mark.parametrize(
    ("phase", "age", "goes"),
    [
        ("scheduled", ENDED, False),
        ("pending", ENDED, False),
        ("running", ENDED, False),
        ("gone", ENDED, False),
        ("cancelling", SOON, False),
        ("cancelling", ENDING, True),
        ("cancelled", SOON, False),
        ("cancelled", ENDING, True),
        ("completed", ENDING, False),
        ("crashed", ENDED, True),
        ("completed", ENDED, True),
    ],
)
async def test_a_job_goes_when_its_run_is_over_and_had_time_to_end_by_itself(
    phase: RunPhase, age: timedelta, goes: bool
) -> None:
    deleted, cancelled = await reaped(job("a"), job("b"), a=RunState(phase, age=age), b=RunState("running"))

    assert deleted == (["job-of-a"] if goes else [])
    assert cancelled == (["a"] if goes and phase == "cancelling" else [])


@pytest.mark.parametrize(
    "other",
    [
        job("a", labels={}),
        job("a", namespace="theirs"),
        job("a", condition="Complete"),
        job("a", condition="Failed"),
    ],
    ids=["another program's", "another namespace's", "complete", "failed"],
)
async def test_a_job_that_is_not_ours_or_has_ended_stays(other: client.V1Job) -> None:
    assert await reaped(other, a=RunState("cancelled", age=ENDED)) == ([], [])


async def test_without_namespaces_all_are_looked_at() -> None:
    deleted, _ = await reaped(job("a", namespace="theirs"), namespaces="", a=RunState("cancelled", age=ENDED))

    assert deleted == ["job-of-a"]


@pytest.mark.parametrize(("status", "is_told"), [(404, False), (403, True)])
async def test_a_job_that_another_worker_deleted_is_no_trouble(status: int, is_told: bool) -> None:
    runs, jobs = Runs({"a": RunState("cancelling", age=ENDED)}), Jobs([job("a")], refusal=status)

    if is_told:
        with pytest.raises(client.ApiException):
            await reap(runs, jobs, "ours")  # type: ignore[arg-type]  # they are played
    else:
        await reap(runs, jobs, "ours")  # type: ignore[arg-type]  # they are played
        assert runs.cancelled == ["a"]


async def test_a_job_that_cannot_be_deleted_holds_up_no_other() -> None:
    over = RunState("cancelled", age=ENDED)
    jobs = Jobs([job("a"), job("b")], refusal=403)

    with pytest.raises(client.ApiException):
        await reap(Runs({"a": over, "b": over}), jobs, "ours")  # type: ignore[arg-type]  # they are played

    assert jobs.deleted == ["job-of-b"]


def test_a_cluster_that_is_not_configured_is_told_once_and_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, is_asked_often = [], threading.Event()

    async def is_missing() -> None:
        asked.append(1)
        if len(asked) > 2:
            is_asked_often.set()
        raise config.ConfigException("Service host/port is not set.")

    monkeypatch.setattr(config, "load_config", is_missing)
    monkeypatch.setattr(reaping, "EVERY_SECONDS", 0.01)

    with capture_logs() as logs, reaping.reaping(prefect_connection({"PREFECT_API_URL": "http://127.0.0.1:9/api"}), {}):
        assert is_asked_often.wait(10)

    assert [log["event"] for log in logs] == ["jobs_not_looked_at"]
