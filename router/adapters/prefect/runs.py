"""Prefect's REST API: runs are created with their attempt's key, and asked for their state.

Only what the router computed itself goes into a run: Prefect resolves templates in job variables and evaluates
`__prefect_kind` in parameters, so nothing of an event may stand there.
"""

import asyncio
from base64 import b64encode
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Literal

import httpx

from router.adapters.prefect.messages import cause_told
from router.adapters.prefect.pods import RUNS_WITH_EVENTS, diagnoses, logged, pod_events, pod_logs
from router.errors import Refused, Transient
from router.ports.runs import Submission
from router.rules.diagnosis import EVICTED, Diagnosis
from router.rules.recovery import RunPhase, RunState
from router.settings import PrefectSettings
from schemas.config.lanes import LANES, Lane
from schemas.connections import PrefectConnection
from schemas.report import readable
from schemas.tls import distrust

FILTER_LIMIT = 200
REQUEST_SECONDS = 10
ANSWER_SECONDS = 15  # a server may also send its answer byte by byte
DEPLOYMENTS = (*(f"ingest/{lane}" for lane in LANES), "preview/priority")
# What it has against one item. Who may not come in, or too often, has trouble with Prefect as a whole.
OF_THE_ITEM = {400, 405, 409, 410, 413, 422}
PLACED = "InfrastructurePending"  # of a run whose pod its worker's observer has seen
PHASES: Mapping[str, RunPhase] = {
    "SCHEDULED": "scheduled",
    "PENDING": "pending",
    "RUNNING": "running",
    "PAUSED": "running",
    "CANCELLING": "cancelling",
    "COMPLETED": "completed",
    "FAILED": "failed",
    "CRASHED": "crashed",
    "CANCELLED": "cancelled",
}


class _Unknown(Refused):
    """Prefect has no such thing."""


class PrefectRuns:
    """See `ports.runs.Runs`. Raises SettingsError when the file of its CAs is missing, or holds none."""

    def __init__(self, prefect: PrefectSettings, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._connection = prefect.connection
        self._trust = self._connection.trust
        self._http = httpx.AsyncClient(
            base_url=self._connection.api_url.rstrip("/"),
            headers=_login(self._connection),
            timeout=REQUEST_SECONDS,
            verify=self._trust.context() if self._trust.ca_file else True,
            transport=transport,
        )
        self._ui_url = prefect.ui_url.rstrip("/")
        self._deployments: dict[str, str] = {}

    async def prepare(self) -> None:
        """Ask for the deployments before the first run waits for one; what is not told now is asked for then."""
        with suppress(Transient):
            await self.check()

    async def submit(self, submission: Submission) -> str:
        """A repetition answers with the run that was created first."""
        flow = "preview" if submission.kind == "preview" else "ingest"
        name = f"{flow}/{submission.lane}"
        path = f"/deployments/{await self._deployment(name)}/create_flow_run"
        try:
            return await self._id_told("POST", path, _flow_run(submission))
        except _Unknown:  # it may have been made anew, under another id
            self._deployments.pop(name, None)
            raise

    async def states(self, run_ids: Sequence[str], in_pods: Collection[str] = ()) -> Mapping[str, RunState]:
        """Asked for 200 at a time, Prefect's limit."""
        states = dict.fromkeys(run_ids, RunState("gone"))
        for start in range(0, len(run_ids), FILTER_LIMIT):
            part = list(run_ids[start : start + FILTER_LIMIT])
            wanted = {"flow_runs": {"id": {"any_": part}}, "limit": FILTER_LIMIT}
            response = await self._respond("POST", "/flow_runs/filter", wanted)
            for run_id, state in _runs_told(response):
                states.pop(run_id, None)
                if state is not None:
                    states[run_id] = state
        ailing = [run_id for run_id in in_pods if run_id in states and states[run_id].phase in {"pending", "crashed"}]
        with suppress(Transient):  # what Kubernetes says is a help: without it they are judged as all others are
            told = await self._told(ailing)
            return states | {run_id: replace(states[run_id], diagnosis=diagnosis) for run_id, diagnosis in told}
        return states

    async def _told(self, run_ids: Sequence[str]) -> Sequence[tuple[str, Diagnosis]]:
        """Ask for the events of pods, a few runs at a time: an answer holds 50 events, the newest first."""
        told: dict[str, Diagnosis | None] = {}
        for start in range(0, len(run_ids), RUNS_WITH_EVENTS):
            wanted = pod_events(run_ids[start : start + RUNS_WITH_EVENTS])
            for run_id, diagnosis in diagnoses(_json(await self._respond("POST", "/events/filter", wanted))):
                told.setdefault(run_id, diagnosis)
        for run_id, diagnosis in told.items():
            if diagnosis is not None and diagnosis.category == EVICTED:
                logs = await self._respond("POST", "/logs/filter", pod_logs(run_id))
                told[run_id] = replace(diagnosis, detail=logged(_json(logs)))
        return [(run_id, diagnosis) for run_id, diagnosis in told.items() if diagnosis is not None]

    async def workers(self, lanes: Collection[Lane]) -> Mapping[Lane, int]:
        """One that went away counts until it has missed three of its heartbeats. A lane without a pool has none."""
        return {lane: await self._online(lane) for lane in lanes}

    async def _online(self, lane: Lane) -> int:
        path, count = f"/work_pools/autoloader-{lane}/workers/filter", 0
        wanted = {"workers": {"status": {"any_": ["ONLINE"]}}, "limit": FILTER_LIMIT}
        while True:
            try:
                response = await self._respond("POST", path, {**wanted, "offset": count})
            except _Unknown:
                return 0
            match _json(response):
                case list() as found:
                    count += len(found)
                case _:
                    raise _odd(response)
            if len(found) < FILTER_LIMIT:
                return count

    async def cancel(self, run_id: str, reason: str, *, in_pod: bool = False) -> None:
        """By force: a run that never started would stay in Cancelling for ever. One that is gone needs no end.

        Of a pod that has not begun only its worker gets rid, and only while the run is in Cancelling; when no worker
        does, an automation ends that (`flows.deploying.automations`).
        """
        kind = "CANCELLING" if in_pod else "CANCELLED"
        state = {"type": kind, "name": kind.capitalize(), "message": readable(reason)}
        with suppress(_Unknown):
            await self._respond("POST", f"/flow_runs/{run_id}/set_state", {"state": state, "force": not in_pod})

    async def check(self) -> None:
        """Every lane's deployment is there; Transient says which one is not."""
        for name in DEPLOYMENTS:
            await self._deployment(name)

    def url(self, run_id: str) -> str:
        """Name the page of a run."""
        return f"{self._ui_url}/runs/flow-run/{run_id}"

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _deployment(self, name: str) -> str:
        if name not in self._deployments:
            self._deployments[name] = await self._id_told("GET", f"/deployments/name/{name}")
        return self._deployments[name]

    async def _id_told(self, method: Literal["GET", "POST"], path: str, body: Mapping[str, Any] | None = None) -> str:
        response = await self._respond(method, path, body)
        match _json(response):
            case {"id": str() as found}:
                return found
            case _:
                raise _odd(response)

    async def _respond(
        self, method: Literal["GET", "POST"], path: str, body: Mapping[str, Any] | None = None
    ) -> httpx.Response:
        """An answer with a body, as far as its status says."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                response = await self._http.request(method, path, json=body)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            if (cause := distrust(error)) is not None:
                raise Transient(f"Prefect: {self._trust.told(cause, self._http.base_url.netloc.decode())}") from error
            raise Transient(f"Prefect: {type(error).__name__} at {path}: {readable(str(error))}") from error
        if response.is_success:
            return response
        if response.status_code == httpx.codes.NOT_FOUND:
            raise _Unknown(f"Prefect knows nothing at {path}; run `autoloader deploy`")
        said = f"Prefect: {response.status_code} at {path}: {readable(response.text[:300])}"
        if response.status_code == httpx.codes.UNAUTHORIZED:
            said += " (it does not know us: check PREFECT_API_AUTH_STRING or PREFECT_API_KEY)"
        if response.has_redirect_location:
            said += f" (it leads to {response.headers['location']}: see PREFECT_API_URL)"
        raise (Refused if response.status_code in OF_THE_ITEM else Transient)(said)


def _login(connection: PrefectConnection) -> dict[str, str]:
    if connection.user_and_password:
        return {"Authorization": f"Basic {b64encode(connection.user_and_password.encode()).decode()}"}
    return {"Authorization": f"Bearer {connection.key}"} if connection.key else {}


def _flow_run(submission: Submission) -> Mapping[str, Any]:
    return {
        "name": f"{submission.source_id}-{submission.batch}-{submission.n}",
        "parameters": {"batch": submission.batch, "attempt": submission.n},
        "idempotency_key": submission.key,
        "job_variables": dict(submission.job_variables),
        "tags": [
            "autoloader",
            f"source:{submission.source_id}",
            f"batch:{submission.batch}",
            f"lane:{submission.lane}",
            f"attempt:{submission.n}",
        ],
        "state": {"type": "SCHEDULED"},
    }


def _runs_told(response: httpx.Response) -> Iterator[tuple[str, RunState | None]]:
    """A run and its state; None for one that a newer Prefect may have, which says neither that it lives nor not."""
    runs = _json(response)
    if not isinstance(runs, list):
        raise _odd(response)
    for run in runs:
        match run:
            case {"id": str() as run_id, "state": {"type": str() as kind, **told}}:
                phase = PHASES.get(kind)
                yield run_id, None if phase is None else _state(phase, told, response.headers.get("date"))
            case {"id": str() as run_id}:
                yield run_id, RunState("scheduled") if run.get("state") is None else None
            case _:
                raise _odd(response)


def _state(phase: RunPhase, told: Mapping[Any, Any], asked_at: str | None) -> RunState:
    message = readable(str(told.get("message") or ""))
    cause = cause_told(message) if phase in {"failed", "crashed"} else None
    age = _age(told.get("timestamp"), asked_at)
    return RunState(phase, message, cause, age, is_placed=told.get("name") == PLACED)


def _age(since: Any, asked_at: str | None) -> timedelta:
    """How long it has been so is told by Prefect's clock alone: by the time of its answer."""
    try:
        age = parsedate_to_datetime(asked_at or "") - datetime.fromisoformat(since)
    except (TypeError, ValueError):  # not told, or not as a time
        return timedelta(0)
    return max(timedelta(0), age)


def _json(response: httpx.Response) -> Any:
    try:
        return response.json()
    except (ValueError, RecursionError) as error:
        raise _odd(response) from error


def _odd(response: httpx.Response) -> Transient:
    """Something between us and Prefect has answered: a proxy's page, a sign-in."""
    return Transient(f"no answer of Prefect's at {response.url.path}: {readable(response.text[:100])!r}")
