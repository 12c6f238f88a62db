"""What Kueue says of the Job of a run, and that nothing it may answer ends the process."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import certifi
import httpx
import pytest

from router.adapters.kubernetes.workloads import Workloads
from router.errors import Transient

RUN = "00000000-0000-0000-0000-000000000001"
Answer = Callable[[httpx.Request], httpx.Response]


def workload(*conditions: tuple[str, str, str], run: str = RUN) -> dict[str, Any]:
    told = [{"type": kind, "status": status, "message": message} for kind, status, message in conditions]
    labels = {"prefect.io/flow-run-id": run}
    pods = {"name": "main", "count": 1, "template": {"metadata": {"labels": labels}, "spec": {}}}
    return {"spec": {"podSets": [pods]}, "status": {"conditions": told}}


@pytest.fixture
def account(tmp_path: Path) -> Path:
    """The folder of a pod's account."""
    (tmp_path / "token").write_text("a-token")
    (tmp_path / "ca.crt").write_text(Path(certifi.where()).read_text())
    return tmp_path


async def said(account: Path, answer: Answer) -> str | None:
    return await Workloads("https://kubernetes", account, httpx.MockTransport(answer)).said(RUN, "loads")


def says(*workloads: object) -> Answer:
    return lambda _: httpx.Response(200, json={"items": workloads})


PENDING = ("QuotaReserved", "False", "insufficient unused quota for memory, 10Gi more needed")


async def test_what_a_job_waits_for_is_said_in_kueue_s_words(account: Path) -> None:
    other = workload(("Admitted", "True", "admitted"), run="another")

    assert await said(account, says(other, workload(PENDING))) == f"QuotaReserved is False: {PENDING[2]}"


async def test_the_last_word_is_that_of_the_last_condition(account: Path) -> None:
    evicted = ("Evicted", "True", "preempted to accommodate a workload of a higher priority")

    assert (await said(account, says(workload(evicted, PENDING))) or "").startswith("QuotaReserved")
    assert (await said(account, says(workload(evicted))) or "").startswith("Evicted is True: preempted")
    assert await said(account, says(workload())) == "it is not looked at yet"


async def test_a_run_without_a_workload_has_no_word(account: Path) -> None:
    assert await said(account, says({"spec": {"podSets": []}}, 5, workload(PENDING, run="another"))) is None


async def test_it_is_asked_for_those_of_the_namespace_as_the_pod_s_account(account: Path) -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json={"items": []})

    await said(account, answer)

    assert asked[0].url.path == "/apis/kueue.x-k8s.io/v1beta2/namespaces/loads/workloads"
    assert asked[0].headers["authorization"] == "Bearer a-token"


@pytest.mark.parametrize(
    "answer",
    [
        lambda _: httpx.Response(403, json={"reason": "Forbidden"}),
        lambda _: httpx.Response(404),
        lambda _: httpx.Response(200, text="<html>"),
    ],
)
async def test_whom_kueue_does_not_answer_is_told_so(account: Path, answer: Answer) -> None:
    with pytest.raises(Transient, match="Kueue's workloads are not told"):
        await said(account, answer)


async def test_an_account_without_a_token_asks_nobody(tmp_path: Path) -> None:
    with pytest.raises(Transient, match="token"):
        await said(tmp_path, says())


@pytest.mark.parametrize("odd", [None, [], "text", {"items": [{"status": None}]}])
async def test_an_odd_answer_names_no_workload(account: Path, odd: object) -> None:
    assert await said(account, lambda _: httpx.Response(200, content=json.dumps(odd))) is None


def test_outside_of_a_cluster_there_are_none() -> None:
    assert Workloads.here({}) is None
