"""How many runs a worker asks Prefect for."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import anyio
import httpx
import pytest

from worker.process_pool import WarmWorker


class Client:
    """Prefect's client, which records what is asked for; there is nothing to do, or no such pool."""

    def __init__(self, status: int = 200) -> None:
        self.asked: list[Mapping[str, Any]] = []
        self._status = status

    async def request(self, method: str, path: str, *, path_params: Mapping[str, str], json: Mapping[str, Any]) -> Any:
        self.asked.append(json)
        request = httpx.Request(method, "http://prefect" + path.format(**path_params))
        return httpx.Response(self._status, json=[], request=request).raise_for_status()


def a_worker(client: Client, *, slots: int, taken: int, being_submitted: int = 0) -> WarmWorker:
    nothing: Any = None
    worker = WarmWorker(nothing, None, work_pool_name="autoloader-default", limit=slots)
    runs = [uuid4() for _ in range(taken)]
    worker._limiter = anyio.CapacityLimiter(slots)
    for run in runs:
        worker._limiter.acquire_on_behalf_of_nowait(run)
    worker._submitting_flow_run_ids = set(runs[:being_submitted])
    given: Any = client
    worker._client = given
    worker._has_successfully_synced = True
    return worker


@pytest.mark.parametrize(("taken", "being_submitted", "limit"), [(0, 0, 5), (3, 0, 2), (3, 1, 3), (4, 2, 3), (4, 0, 1)])
async def test_as_many_runs_are_asked_for_as_can_be_begun_and_one_more(
    taken: int, being_submitted: int, limit: int
) -> None:
    client = Client()

    assert (
        await a_worker(client, slots=4, taken=taken, being_submitted=being_submitted).get_and_submit_flow_runs() == []
    )

    assert [one["limit"] for one in client.asked] == [limit]


async def test_who_is_woken_with_no_slot_free_does_not_ask() -> None:
    client = Client()

    await a_worker(client, slots=2, taken=2).poll()
    assert client.asked == []

    await a_worker(client, slots=2, taken=1).poll()
    assert len(client.asked) == 1


async def test_who_is_woken_before_it_is_set_up_does_not_ask() -> None:
    nothing: Any = None

    await WarmWorker(nothing, None, work_pool_name="autoloader-default", limit=2).poll()


async def test_a_pool_that_is_not_there_has_no_runs() -> None:
    assert await a_worker(Client(404), slots=2, taken=0).get_and_submit_flow_runs() == []


async def test_a_server_that_is_ill_is_told() -> None:
    with pytest.raises(httpx.HTTPStatusError):
        await a_worker(Client(503), slots=2, taken=0).get_and_submit_flow_runs()


@pytest.mark.parametrize(("waits", "asked"), [(False, 0), (True, 1)])
async def test_after_a_run_more_is_asked_for_if_more_may_wait(
    monkeypatch: pytest.MonkeyPatch, *, waits: bool, asked: int
) -> None:
    client = Client()
    worker = a_worker(client, slots=1, taken=1)

    async def done(*_: object) -> Any:
        return SimpleNamespace(entrypoint="flows.ingest")

    for part in ("_deployment", "_configuration", "_propose_pending_state", "_execute"):
        monkeypatch.setattr(worker, part, done)
    if waits:
        await worker.poll()  # while its only slot is taken
    (taken,) = worker.limiter.statistics().borrowers

    run: Any = SimpleNamespace(id=taken, deployment_id=uuid4(), job_variables={})
    await worker._submit_run(run)

    assert len(client.asked) == asked
