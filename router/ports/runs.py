"""What the stages ask of Prefect."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from router.rules.recovery import RunState
from schemas.config.lanes import Lane
from schemas.config.sizes import JobVariables
from schemas.manifest import AttemptKind


@dataclass(frozen=True, slots=True)
class Submission:
    """An attempt to be submitted: all that the flow run is made of. `key` makes a repetition harmless."""

    batch: str
    n: int
    lane: Lane
    source_id: str
    kind: AttemptKind
    job_variables: JobVariables

    @property
    def key(self) -> str:
        """The idempotency key: never time or chance in it."""
        return f"autoloader/{self.batch}/{self.n}"


class Runs(Protocol):
    """The flow runs of Prefect."""

    async def submit(self, submission: Submission) -> str:
        """Create the run, or find the one created before under the same key; its id. Raises Refused."""

    async def states(self, run_ids: Sequence[str], in_pods: Collection[str] = ()) -> Mapping[str, RunState]:
        """The states of runs; one it does not know is `gone`. Of those `in_pods` what Kubernetes says of them."""

    async def workers(self, lanes: Collection[Lane]) -> Mapping[Lane, int]:
        """How many workers of each of these lanes are online, as far as Prefect has heard of them."""

    async def cancel(self, run_id: str, reason: str, *, in_pod: bool = False) -> None:
        """End a run that is not wanted any more. One `in_pod` is ended by its worker, which deletes that."""

    def url(self, run_id: str) -> str:
        """Where a person looks at it."""
