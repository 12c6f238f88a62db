"""Prefect, as `adapters.prefect` speaks with it: runs by idempotency key, and webhooks that may be lost."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import NAMESPACE_URL, uuid5

from router.errors import Refused, Transient
from router.ports.clock import Clock
from router.ports.runs import Submission
from router.rules.recovery import LIVING, RunPhase, RunState
from schemas.config.lanes import Lane
from schemas.report import Cause


@dataclass(slots=True)
class FakeRun:
    """A flow run and its state."""

    submission: Submission
    state: RunState
    since: datetime


class FakeRuns:
    """See `ports.runs.Runs`. `loses_answers`: the run is created, and the caller is told that it may not be.

    Of the lanes and batches that it `refuses` no run is created.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.away = False
        self.loses_answers = False
        self.loses_webhooks = False
        self.refuses_to_cancel: set[str] = set()
        self.refuses: set[str] = set()
        self.online: dict[Lane, int] = {}
        self.webhooks: list[Callable[[str], None]] = []
        self.runs: dict[str, FakeRun] = {}
        self._forgotten: dict[str, FakeRun] = {}
        self._created = 0

    async def submit(self, submission: Submission) -> str:
        self._ask()
        if {submission.lane, submission.batch} & self.refuses:
            raise Refused(f"Prefect knows nothing of {submission.lane}")
        known = (run_id for run_id, run in self.runs.items() if run.submission.key == submission.key)
        run_id = next(known, None) or self._create(submission)
        if self.loses_answers:
            raise Transient("Prefect: the answer was lost")
        return run_id

    async def states(self, run_ids: Sequence[str], in_pods: Collection[str] = ()) -> Mapping[str, RunState]:
        self._ask()
        return {run_id: self._state(run_id) for run_id in run_ids}

    async def workers(self, lanes: Collection[Lane]) -> Mapping[Lane, int]:
        self._ask()
        return {lane: self.online.get(lane, 0) for lane in lanes}

    async def cancel(self, run_id: str, reason: str, *, in_pod: bool = False) -> None:
        self._ask()
        if run_id in self.refuses_to_cancel:
            raise Transient(f"Prefect: 409 at {run_id}")
        if run_id in self.runs:
            self.becomes(run_id, "cancelled", reason)

    def url(self, run_id: str) -> str:
        return f"http://prefect/runs/flow-run/{run_id}"

    def becomes(
        self, run_id: str, phase: RunPhase, message: str = "", cause: Cause | None = None, *, is_placed: bool = False
    ) -> None:
        """A worker, a person or Prefect itself changes a run's state. What has ended stays as it ended.

        `cause` is what it says of the end of the process, if it saw that.
        """
        run = self.runs.get(run_id)
        if run is None or run.state.phase not in LIVING:
            return
        run.state, run.since = RunState(phase, message, cause, is_placed=is_placed), self._clock.now()
        if phase not in LIVING and not self.loses_webhooks:
            for webhook in self.webhooks:
                webhook(run_id)

    def copy(self, run_id: str) -> None:
        """Somebody runs it once more, with its parameters: another run of the same attempt."""
        self._create(self.runs[run_id].submission)

    def forget(self, run_id: str) -> None:
        """Somebody deletes it, or a replica that lags behind does not know it yet."""
        if run := self.runs.pop(run_id, None):
            self._forgotten[run_id] = run

    def find(self) -> list[str]:
        """What was forgotten is there again, as it was."""
        found, self._forgotten = self._forgotten, {}
        self.runs = {**found, **self.runs}
        return list(found)

    def in_phase(self, *phases: RunPhase) -> list[str]:
        return [run_id for run_id, run in self.runs.items() if run.state.phase in phases]

    def _create(self, submission: Submission) -> str:
        """A run that was deleted is created anew under its key, as another run."""
        self._created += 1
        run_id = str(uuid5(NAMESPACE_URL, f"{submission.key}#{self._created}"))
        self.runs[run_id] = FakeRun(submission, RunState("scheduled"), self._clock.now())
        return run_id

    def _state(self, run_id: str) -> RunState:
        run = self.runs.get(run_id)
        return RunState("gone") if run is None else replace(run.state, age=self._clock.now() - run.since)

    def _ask(self) -> None:
        if self.away:
            raise Transient("Prefect: away")
