"""Prefect's answers, as they should be and as they should not: none of them ends the process."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest

from router.adapters.prefect.runs import PrefectRuns
from router.errors import Refused, Transient
from router.ports.runs import Submission
from router.rules.diagnosis import Diagnosis
from router.rules.recovery import RunState
from router.settings import PrefectSettings
from schemas.connections import PrefectConnection

SUBMISSION = Submission("b-1", 1, "default", "orders-v1", "load", {})
Answer = Callable[[httpx.Request], httpx.Response]


def prefect(answer: Answer) -> PrefectRuns:
    settings = PrefectSettings(PrefectConnection("http://prefect/api"), "http://prefect")
    return PrefectRuns(settings, httpx.MockTransport(answer))


def says(status: int = 200, **how: Any) -> Answer:
    return lambda _: httpx.Response(status, **how)


def fails(error: Exception) -> Answer:
    def answer(_: httpx.Request) -> httpx.Response:
        raise error

    return answer


def run(kind: object = "RUNNING", **state: object) -> dict[str, object]:
    return {"id": "run-1", "state": {"type": kind, "message": None, **state}}


ODD = {
    "a page with 200": says(text="<html>sign in</html>"),
    "a redirect": says(302, headers={"location": "http://elsewhere/login"}),
    "nothing": says(204),
    "an empty body": says(200),
    "text": says(json="hello"),
    "null": says(json=None),
    "a list of texts": says(json=["hello"]),
    "an object without an id": says(json={}),
    "an object whose id is a number": says(json={"id": 1}),
    "no JSON": says(content=b"{\xff"),
    "deep JSON": says(content=b"[" * 100_000),
    "broken compression": says(headers={"content-encoding": "gzip"}, content=b"no"),
    "wrong key": says(401),
    "no right": says(403),
    "too many": says(429),
    "an error": says(500, text="oops\x00"),
    "a gateway": says(502, text="<html>"),
    "no connection": fails(httpx.ConnectError("refused")),
    "no answer in time": fails(httpx.ReadTimeout("slow")),
    "a broken answer": fails(httpx.RemoteProtocolError("cut")),
    "too many redirects": fails(httpx.TooManyRedirects("circle")),
    "an address that is none": fails(httpx.InvalidURL("no")),
}


@pytest.mark.parametrize("what", ODD)
async def test_odd_answers_are_transient_whatever_is_asked(what: str) -> None:
    runs = prefect(ODD[what])

    for asked in (runs.submit(SUBMISSION), runs.states(["run-1"])):
        with pytest.raises(Transient) as trouble:
            await asked
        assert not isinstance(trouble.value, Refused)
        assert "\x00" not in str(trouble.value)


@pytest.mark.parametrize("what", ODD)
async def test_odd_answers_do_not_end_a_router_that_begins(what: str) -> None:
    await prefect(ODD[what]).prepare()


async def test_the_first_run_is_submitted_in_one_trip() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(200, json={"id": "1"})

    runs = prefect(answer)
    await runs.prepare()
    asked.clear()

    await runs.submit(SUBMISSION)

    assert asked == ["/api/deployments/1/create_flow_run"]


@pytest.mark.parametrize("status", [400, 404, 409, 422])
async def test_what_prefect_will_not_do_for_one_is_refused(status: int) -> None:
    with pytest.raises(Refused):
        await prefect(says(status, json={"detail": "no"})).submit(SUBMISSION)


async def test_a_run_that_is_gone_needs_no_cancelling() -> None:
    await prefect(says(404)).cancel("run-1", "enough")


async def test_a_reason_that_cannot_be_written_is_made_readable() -> None:
    sent: list[bytes] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request.content)
        return httpx.Response(201, json={})

    await prefect(answer).cancel("run-1", "half a letter \ud83d\x00")

    assert json.loads(sent[0])["state"]["message"] == "half a letter"


async def test_a_state_that_a_newer_prefect_may_have_says_nothing() -> None:
    told = [run("DREAMING"), {**run(), "id": "run-2"}, {"id": "run-3", "state": "odd"}]

    states = await prefect(says(json=told)).states(["run-1", "run-2", "run-3", "run-4"])

    assert {run_id: state.phase for run_id, state in states.items()} == {"run-2": "running", "run-4": "gone"}


@pytest.mark.parametrize(
    "state",
    [{"timestamp": "yesterday"}, {"timestamp": 5}, {"timestamp": "2026-11-26T10:00:00"}, {"message": {"a": 1}}, {}],
)
async def test_a_state_with_odd_particulars_is_still_that_state(state: dict[str, object]) -> None:
    states = await prefect(says(json=[run(**state)], headers={"date": "no date"})).states(["run-1"])

    assert (states["run-1"].phase, states["run-1"].age) == ("running", timedelta(0))


async def test_a_message_is_kept_so_that_the_ledger_takes_it() -> None:
    told = [run("CRASHED", message="half a letter \ud83d and \x00")]

    states = await prefect(says(content=json.dumps(told).encode())).states(["run-1"])

    assert states == {"run-1": RunState("crashed", "half a letter   and")}


async def test_a_deployment_that_was_made_anew_is_looked_up_again() -> None:
    known = {"ingest/default": "one"}

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200, json={"id": known["ingest/default"]})
        is_there = known["ingest/default"] in request.url.path
        return (
            httpx.Response(201, json={"id": f"run of {known['ingest/default']}"}) if is_there else httpx.Response(404)
        )

    runs = prefect(answer)
    await runs.submit(SUBMISSION)
    known["ingest/default"] = "two"
    with pytest.raises(Refused):
        await runs.submit(SUBMISSION)

    assert await runs.submit(SUBMISSION) == "run of two"


def pod_event(run_id: str, **labels: str) -> dict[str, object]:
    pod = {
        "prefect.resource.id": "prefect.kubernetes.pod.1",
        **{f"kubernetes.{name}": told for name, told in labels.items()},
    }
    return {"event": "prefect.kubernetes.pod.x", "resource": pod, "related": [
        {"prefect.resource.id": "prefect.flow.1"}, {"prefect.resource.id": f"prefect.flow-run.{run_id}"},
    ]}  # fmt: skip


def of_pods(events: object, logs: object = ()) -> Answer:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/events/filter"):
            return httpx.Response(200, json=events)
        if request.url.path.endswith("/logs/filter"):
            return httpx.Response(200, json=logs)
        return httpx.Response(200, json=[{**run("CRASHED"), "id": "run-1"}, {**run("PENDING"), "id": "run-2"}])

    return answer


async def test_the_newest_that_kubernetes_says_of_a_pod_counts() -> None:
    told = {"events": [
        pod_event("run-1", reason="OOMKilled"),
        pod_event("run-1", diagnosis="Unschedulable"),
        pod_event("run-2"),
        pod_event("run-2", diagnosis="Unschedulable"),
    ]}  # fmt: skip

    states = await prefect(of_pods(told)).states(["run-1", "run-2"], ["run-1", "run-2"])

    assert states["run-1"].diagnosis == Diagnosis("OOMKilled")
    assert states["run-2"].diagnosis is None


async def test_of_what_occurred_at_the_same_time_the_last_that_was_received_counts() -> None:
    occurred = {"occurred": "2026-11-27T10:54:01Z"}
    told = {"events": [
        {**pod_event("run-1"), **occurred, "received": "2026-11-27T10:54:01.654052Z"},
        {**pod_event("run-1", diagnosis="ImagePullError"), **occurred, "received": "2026-11-27T10:54:02Z"},
    ]}  # fmt: skip

    states = await prefect(of_pods(told)).states(["run-1"], ["run-1"])

    assert states["run-1"].diagnosis == Diagnosis("ImagePullError")


async def test_what_a_node_was_short_of_stands_in_the_observer_s_log() -> None:
    logs = [
        {"name": "prefect.flow_runs.observer", "message": "Pod was evicted: The node was low on resource: memory."},
        {"name": "prefect.flow_runs", "message": "loading"},
    ]

    told = {"events": [pod_event("run-1", diagnosis="Evicted")]}
    states = await prefect(of_pods(told, logs)).states(["run-1"], ["run-1"])

    assert states["run-1"].diagnosis == Diagnosis("Evicted", "Pod was evicted: The node was low on resource: memory.")


@pytest.mark.parametrize("odd", [[], None, {"events": [1, {}, {"resource": {}, "related": [1]}]}, "text"])
async def test_runs_are_judged_without_what_nobody_says_of_their_pods(odd: object) -> None:
    states = await prefect(of_pods(odd)).states(["run-1"], ["run-1"])

    assert (states["run-1"].phase, states["run-1"].diagnosis) == ("crashed", None)


async def test_a_run_in_a_pod_is_ended_by_its_worker_which_deletes_that() -> None:
    sent: list[dict[str, Any]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(json.loads(request.content))
        return httpx.Response(201, json={})

    await prefect(answer).cancel("run-1", "enough", in_pod=True)

    assert (sent[0]["state"]["type"], sent[0]["force"]) == ("CANCELLING", False)


@pytest.mark.parametrize("count", [0, 3, 200, 412])
async def test_the_workers_of_a_lane_are_counted_that_are_online(count: int) -> None:
    asked: list[tuple[str, object]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        wanted = json.loads(request.content)
        asked.append((request.url.path, wanted["workers"]))
        return httpx.Response(200, json=[{"name": "w"}] * min(wanted["limit"], count - wanted["offset"]))

    workers = await prefect(answer).workers(["default"])

    assert workers == {"default": count}
    assert asked[0] == ("/api/work_pools/autoloader-default/workers/filter", {"status": {"any_": ["ONLINE"]}})


async def test_a_lane_without_a_pool_has_no_workers() -> None:
    assert await prefect(says(404)).workers(["priority"]) == {"priority": 0}


@pytest.mark.parametrize("odd", [{"a": 1}, None, "text"])
async def test_workers_that_are_not_told_as_a_list_are_not_none(odd: object) -> None:
    with pytest.raises(Transient):
        await prefect(says(json=odd)).workers(["priority"])


@pytest.mark.parametrize(("name", "is_placed"), [("Pending", False), ("InfrastructurePending", True)])
async def test_a_run_is_placed_when_its_pod_is_seen(name: str, is_placed: bool) -> None:
    states = await prefect(says(json=[run("PENDING", name=name)])).states(["run-1"])

    assert states["run-1"].is_placed == is_placed
