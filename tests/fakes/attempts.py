"""`attempt`, `result` and `batch` as they end, as `adapters.postgres.attempts` keeps them."""

from collections import Counter
from collections.abc import Sequence
from typing import assert_never

from router.rules.completion import EndedBatch, Settlement
from router.rules.recovery import Again, Close, OpenAttempt, Void
from schemas.manifest import ManifestFile
from tests.fakes.database import AttemptRow, FakeDatabase


class FakeAttempts:
    """See `ports.AttemptLedger`."""

    def __init__(self, database: FakeDatabase) -> None:
        self._database = database

    async def open_attempts(self, run_ids: Sequence[str] | None = None) -> Sequence[OpenAttempt]:
        self._database.begin()
        rows = [
            (batch, n, row)
            for (batch, n), row in self._database.attempts.items()
            if row.ended is None and (run_ids is None or {row.run_id, row.claimed_by} & {*run_ids})
        ]
        rows.sort(key=lambda found: found[2].created)
        return [self._open_attempt(batch, n, row) for batch, n, row in rows]

    async def ended(self, batch: str, n: int) -> EndedBatch | None:
        self._database.begin()
        result, row = self._database.results.get((batch, n)), self._database.open_batch(batch)
        if row is None or result is None or result.state == "staged" or result.ended is None:
            return None
        attempt = self._database.attempts[batch, n]
        files = self._database.files_of(batch)
        return EndedBatch(
            id=batch,
            n=n,
            lane=attempt.lane,
            manifest=row.manifest,
            files=[ManifestFile(uri=file.uri, version=key.version, size=file.size) for key, file in files],
            landed=row.landed,
            cut=row.cut,
            submitted=attempt.submitted,
            claimed=attempt.claimed,
            reported=result.ended,
            run_id=attempt.run_id,
            report=result.report,
        )

    async def settle(self, settlement: Settlement) -> bool:
        now = self._database.begin()
        row = self._database.open_batch(settlement.batch)
        if row is None:
            return False
        row.ended, row.outcome, row.reason = now, settlement.outcome, settlement.reason
        for _, attempt in self._database.attempts_of(settlement.batch):
            if attempt.ended is None:
                attempt.ended, attempt.outcome = now, "closed" if settlement.outcome == "failed" else "loaded"
        ends = {(file.uri, file.version): file for file in settlement.files}
        for identity, file in self._database.files_of(settlement.batch):
            if end := ends.get((file.uri, identity.version)):
                anew = file.again and end.outcome in {"missing", "superseded"}
                file.rows, file.reason, file.again = end.rows, end.reason, False
                file.outcome = None if anew else end.outcome
                file.batch_id = None if anew else file.batch_id
                file.round += anew
        self._database.put(settlement.event)
        return True

    async def failed(self, batch: str, n: int, decision: Again | Close | Void) -> bool:
        now = self._database.begin()
        row, result = self._database.open_batch(batch), self._database.results.get((batch, n))
        if row is None or (result is not None and result.state != "staged"):
            return False
        attempt = self._database.attempts.get((batch, n))
        if attempt is None or attempt.ended is not None:
            return False
        match decision:
            case Void():
                if attempt.claimed_by is not None:
                    return False
                attempt.outcome, attempt.cause, row.due = "void", "infrastructure", now
            case Again():
                attempt.outcome, attempt.cause, row.due = "failed", decision.cause, decision.due
            case Close():
                attempt.outcome, attempt.cause, row.due = "failed", decision.cause, now
                row.closing = decision.reason
            case _:
                assert_never(decision)
        attempt.ended, attempt.reason = now, decision.reason
        return True

    def _open_attempt(self, batch: str, n: int, row: AttemptRow) -> OpenAttempt:
        result = self._database.results.get((batch, n))
        earlier = [other for _, other in self._database.attempts_of(batch) if other.kind == row.kind]
        return OpenAttempt(
            batch=batch,
            n=n,
            kind=row.kind,
            created=row.created,
            run_id=row.claimed_by or row.run_id,
            claimed=row.claimed_by is not None,
            result=None if result is None else result.state,
            cause=row.cause,
            reason=row.reason,
            failures=Counter(other.cause for other in earlier if other.ended is not None and other.cause is not None),
        )
