"""Prefect's REST API: runs are created with their attempt's key, and asked for their state.

Only what the router computed itself goes into a run: Prefect resolves templates in job variables and evaluates
`__prefect_kind` in parameters, so nothing of an event may stand there.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Literal

import httpx

from router.adapters.prefect_messages import cause_told
from router.errors import Transient
from router.ports import Submission
from router.rules.recovery import RunPhase, RunState
from schemas.config import LANES

FILTER_LIMIT = 200
REQUEST_SECONDS = 10
DEPLOYMENTS = (*(f"ingest/{lane}" for lane in LANES), "preview/priority")
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


class PrefectRuns:
    """See `ports.Runs`. `api_url` as in `PREFECT_API_URL`; `ui_url` is where people look at runs."""

    def __init__(self, api_url: str, ui_url: str, headers: Mapping[str, str]) -> None:
        self._http = httpx.AsyncClient(base_url=api_url.rstrip("/"), headers=dict(headers), timeout=REQUEST_SECONDS)
        self._ui_url = ui_url.rstrip("/")
        self._deployments: dict[str, str] = {}

    async def submit(self, submission: Submission) -> str:
        """A repetition answers with the run that was created first."""
        flow = "preview" if submission.kind == "preview" else "ingest"
        deployment = await self._deployment(f"{flow}/{submission.lane}")
        created = await self._ask(
            "POST",
            f"/deployments/{deployment}/create_flow_run",
            {
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
            },
        )
        return str(created["id"])

    async def states(self, run_ids: Sequence[str]) -> Mapping[str, RunState]:
        """Asked for 200 at a time, Prefect's limit."""
        states = dict.fromkeys(run_ids, RunState("gone"))
        for start in range(0, len(run_ids), FILTER_LIMIT):
            part = list(run_ids[start : start + FILTER_LIMIT])
            wanted = {"flow_runs": {"id": {"any_": part}}, "limit": FILTER_LIMIT}
            response = await self._respond("POST", "/flow_runs/filter", wanted)
            for run in response.json():
                states[run["id"]] = _state(run.get("state") or {"type": "SCHEDULED"}, response.headers.get("date"))
        return states

    async def cancel(self, run_id: str, reason: str) -> None:
        """By force: a run that never started would stay in Cancelling for ever."""
        state = {"type": "CANCELLED", "name": "Cancelled", "message": reason}
        await self._ask("POST", f"/flow_runs/{run_id}/set_state", {"state": state, "force": True})

    async def check(self) -> None:
        """Every lane's deployment is there; Transient says which one is not."""
        for name in DEPLOYMENTS:
            await self._deployment(name)

    def url(self, run_id: str) -> str:
        """The run's page."""
        return f"{self._ui_url}/runs/flow-run/{run_id}"

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _deployment(self, name: str) -> str:
        if name not in self._deployments:
            self._deployments[name] = (await self._ask("GET", f"/deployments/name/{name}"))["id"]
        return self._deployments[name]

    async def _ask(self, method: Literal["GET", "POST"], path: str, body: Mapping[str, Any] | None = None) -> Any:
        response = await self._respond(method, path, body)
        return response.json() if response.content else None

    async def _respond(
        self, method: Literal["GET", "POST"], path: str, body: Mapping[str, Any] | None = None
    ) -> httpx.Response:
        try:
            response = await self._http.request(method, path, json=body)
        except httpx.HTTPError as error:
            raise Transient(f"Prefect: {type(error).__name__} at {path}: {error}") from error
        if response.status_code == httpx.codes.NOT_FOUND:
            self._deployments.clear()
            raise Transient(f"Prefect knows nothing at {path}; run `autoloader deploy`")
        if response.is_error:
            raise Transient(f"Prefect: {response.status_code} at {path}: {response.text[:300]}")
        return response


def _state(state: Mapping[str, Any], asked_at: str | None) -> RunState:
    """How long it has been so is told by Prefect's clock alone: by the time of its answer."""
    phase, message = PHASES[state["type"]], state.get("message") or ""
    age = timedelta(0)
    if asked_at is not None and (since := state.get("timestamp")):
        age = max(age, parsedate_to_datetime(asked_at) - datetime.fromisoformat(since))
    return RunState(phase, message, cause_told(message) if phase in {"failed", "crashed"} else None, age)
