"""What settlement asks of the ledger: open attempts, what their runs have reported, and how they end."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from router.rules.answers import FinishedRequest, RequestEnd
from router.rules.breaker import Breaker
from router.rules.recovery import Again, Close, OpenAttempt, Void
from router.rules.settlement import EndedBatch, Settlement
from router.rules.splitting import Split
from schemas.report import Preview


@dataclass(frozen=True, slots=True)
class EndedPreview:
    """A preview whose run has looked."""

    batch: str
    n: int
    request: FinishedRequest
    preview: Preview


class SettlementLedger(Protocol):
    """The ledger of settlement: `attempt`, `result` and `batch`, as they end."""

    async def open_attempts(self, run_ids: Sequence[str] | None = None) -> Sequence[OpenAttempt]:
        """All of them, or those of some runs."""

    async def batch_to_settle(self, batch: str, n: int) -> EndedBatch | None:
        """A batch whose run has reported; None when it is settled already."""

    async def settle_batch(self, settlement: Settlement) -> bool:
        """End the batch, its files and its attempt, and put the event into the outbox; False when it was ended.

        What was learned of the source is kept. An object of which another version was there, or none, is looked at.
        """

    async def count_failure(self, target: str, reason: str) -> Breaker | None:
        """A run found it away: its breaker after that; None while it is open, when one more failure tells nothing."""

    async def close_breakers(self, targets: Collection[str]) -> Sequence[Breaker]:
        """A run found them there: their breakers are no more. What they were, of those that had failed."""

    async def split_batch(self, split: Split) -> bool:
        """End the batch, and make two of its files, to be begun; the event goes out. False when it was ended."""

    async def preview_to_answer(self, batch: str, n: int) -> EndedPreview | None:
        """A preview whose run has looked, or, with a reason, failed; None when it is settled already."""

    async def end_preview(self, batch: str, n: int, end: RequestEnd) -> bool:
        """End the preview with its request, and put the event into the outbox; False when it was ended."""

    async def queue(self, batch: str, n: int, *, is_queued: bool) -> None:
        """An open attempt waits for its quota, and holds no slot as long as it does and is not claimed; or does not."""

    async def fail_attempt(self, batch: str, n: int, decision: Again | Close | Void) -> bool:
        """End an attempt, and say when its batch goes on; False when the attempt has ended or was claimed meanwhile."""
