"""Results and Prefect → ledger: how each attempt ended, by the table in `rules.recovery`.

A webhook only says where to look first. The sweep looks at every open attempt.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import assert_never

from router.ports import AttemptLedger, Runs
from router.rules.completion import settle
from router.rules.recovery import Again, Close, Closed, Decision, Loaded, OpenAttempt, RunState, Void, Wait, decide
from router.step import Fact, Keys, Step

SWEEP_EVERY = timedelta(seconds=15)
MAX_HINTS = 10_000


class SettlementStage:
    """Looks at the hinted attempts at once, and at all of them every sweep."""

    name = "settlement"

    def __init__(self, ledger: AttemptLedger, runs: Runs, start_deadline: timedelta) -> None:
        self._ledger = ledger
        self._runs = runs
        self._start_deadline = start_deadline
        self._hints: set[str] = set()
        self._next_sweep: datetime | None = None

    def hint(self, run_id: str) -> None:
        """A run may have ended. Hints beyond ten thousand are dropped: the sweep finds them."""
        if len(self._hints) < MAX_HINTS:
            self._hints.add(run_id)

    async def step(self, now: datetime) -> Step:
        """Settle what the hints name, or everything when the sweep is due; what has reported first, without Prefect."""
        hints = set(self._hints)
        sweeping = self._next_sweep is None or now >= self._next_sweep
        if not sweeping and not hints:
            return Step()
        attempts = await self._ledger.open_attempts(None if sweeping else sorted(hints))
        reported = [attempt for attempt in attempts if attempt.result in {"published", "closed"}]
        facts = await self._settle_all(reported, {}, now)
        if not facts:
            run_ids = [attempt.run_id for attempt in attempts if attempt.run_id]
            states = await self._runs.states(run_ids) if run_ids else {}
            facts = await self._settle_all(attempts, states, now)
            self._hints -= hints
            self._next_sweep = now + SWEEP_EVERY if sweeping else self._next_sweep
        return Step(tuple(facts), more=bool(facts))

    async def _settle_all(
        self, attempts: Sequence[OpenAttempt], states: Mapping[str, RunState], now: datetime
    ) -> list[Fact]:
        facts: list[Fact] = []
        for attempt in attempts:
            run = states.get(attempt.run_id) if attempt.run_id else None
            decision = decide(attempt, run, now=now, start_deadline=self._start_deadline)
            facts += await self._apply(decision, attempt, now)
        return facts

    async def _apply(self, decision: Decision, attempt: OpenAttempt, now: datetime) -> list[Fact]:
        match decision:
            case Wait():
                return []
            case Loaded() | Closed():
                return await self._settle(attempt, now)
            case Again() | Close():
                return await self._fail(attempt, decision)
            case Void():
                facts = await self._fail(attempt, decision)
                if facts and attempt.run_id is not None:
                    await self._runs.cancel(attempt.run_id, decision.reason)
                return facts
            case _:
                assert_never(decision)

    async def _settle(self, attempt: OpenAttempt, now: datetime) -> list[Fact]:
        batch = await self._ledger.ended(attempt.batch, attempt.n)
        if batch is None:
            return []
        end = settle(batch, now=now, run_url=self._runs.url(batch.run_id) if batch.run_id else None)
        if not await self._ledger.settle(end):
            return []
        keys: Keys = {"source": batch.manifest.source_id, "batch": batch.id, "attempt": batch.n, "lane": batch.lane}
        return [Fact("batch_ended", {**keys, "outcome": end.outcome, "reason": end.reason, "files": len(end.files)})]

    async def _fail(self, attempt: OpenAttempt, decision: Again | Close | Void) -> list[Fact]:
        if not await self._ledger.failed(attempt.batch, attempt.n, decision):
            return []
        kind = type(decision).__name__.lower()
        return [
            Fact(
                "attempt_failed",
                {"batch": attempt.batch, "attempt": attempt.n, "next": kind, "reason": decision.reason},
            )
        ]
