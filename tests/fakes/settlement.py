"""`attempt`, `result` and `batch` as they end, as `adapters.postgres.settlement` keeps them."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import assert_never

from router.ports.settlement import EndedPreview
from router.rules.answers import FinishedRequest, RequestEnd
from router.rules.breaker import Breaker
from router.rules.recovery import Again, Close, OpenAttempt, Void
from router.rules.settlement import BatchContext, EndedBatch, RequestInBatch, Settlement
from router.rules.splitting import Half, Split
from schemas.completions import StillWaiting
from schemas.manifest import ManifestFile
from schemas.report import Closed, Preview
from tests.fakes import breakers
from tests.fakes.database import AttemptRow, BatchRow, FakeDatabase, ResultRow, SourceRow

COUNTED_AT_MOST = 10_000
MAX_BIGINT = 2**63 - 1


class FakeSettlement:
    """See `ports.settlement.SettlementLedger`."""

    def __init__(self, database: FakeDatabase) -> None:
        self._database = database

    async def open_attempts(self, run_ids: Sequence[str] | None = None) -> Sequence[OpenAttempt]:
        now = self._database.begin()
        rows = [
            (batch, n, row)
            for (batch, n), row in self._database.attempts.items()
            if row.ended is None and (run_ids is None or {row.run_id, row.claimed_by} & {*run_ids})
        ]
        rows.sort(key=lambda found: found[2].created)
        return [self._open_attempt(batch, n, row, now) for batch, n, row in rows]

    async def batch_to_settle(self, batch: str, n: int) -> EndedBatch | None:
        self._database.begin()
        result, row = self._database.results.get((batch, n)), self._database.open_batch(batch)
        if row is None or result is None or result.ended is None or isinstance(result.report, Preview):
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
            last_landed=max((file.landed for _, file in files), default=row.landed),
            estimate=row.estimate,
            cut=row.cut,
            submitted=attempt.submitted,
            claimed=attempt.claimed,
            reported=result.ended,
            run_id=attempt.run_id,
            report=result.report,
            given_up=row.closing is not None and not row.splitting,
            context=self._around(batch, row),
            traces=self._traces(batch) if row.manifest.traces else {},
        )

    def _traces(self, batch: str) -> Mapping[str, str]:
        known = self._database.traces
        found = {
            file.uri: known.get(key) or known.get(key._replace(version=""))
            for key, file in self._database.files_of(batch)
        }
        return {uri: trace for uri, trace in found.items() if trace is not None}

    async def settle_batch(self, settlement: Settlement) -> bool:
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
                file.rows, file.reason, file.outcome = end.rows, end.reason, end.outcome
                file.rows_bad = end.rows_bad
        self._database.follow(settlement.batch, now)
        state = self._database.sources.setdefault(settlement.source_id, SourceRow())
        state.bytes_per_second = settlement.bytes_per_second
        state.newest_landed = max(state.newest_landed or settlement.newest_landed, settlement.newest_landed)
        if settlement.schema is not None:
            self._database.schemas.setdefault(settlement.source_id, []).append(settlement.schema)
        self._database.put(settlement.event)
        return True

    async def split_batch(self, split: Split) -> bool:
        now = self._database.begin()
        row = self._database.open_batch(split.batch)
        if row is None:
            return False
        row.ended, row.outcome, row.reason = now, "split", split.reason
        for _, attempt in self._database.attempts_of(split.batch):
            if attempt.ended is None:
                attempt.ended, attempt.outcome = now, "closed"
        for half in split.halves:
            self._make(split.batch, row, half, now)
        self._database.put(split.event)
        return True

    def _make(self, batch: str, row: BatchRow, half: Half, now: datetime) -> None:
        names = {(file.uri, file.version) for file in half.files}
        files = [file for key, file in self._database.files_of(batch) if (file.uri, key.version) in names]
        for file in files:
            file.batch_id = half.id
        self._database.batches[half.id] = BatchRow(
            row.lane,
            min(file.landed for file in files),
            row.manifest,
            now,
            now,
            estimate=sum(file.estimate for file in files),
            size_class=row.size_class,
            split_from=batch,
        )

    async def count_failure(self, target: str, reason: str) -> Breaker | None:
        return breakers.away(self._database, target, reason)

    async def close_breakers(self, targets: Collection[str]) -> Sequence[Breaker]:
        return breakers.answered(self._database, targets)

    async def preview_to_answer(self, batch: str, n: int) -> EndedPreview | None:
        self._database.begin()
        row, result = self._database.open_batch(batch), self._database.results.get((batch, n))
        if row is None or row.request_id is None:
            return None
        asked = self._database.requests[row.request_id]
        request = FinishedRequest(
            row.request_id, asked.request.kind, asked.request.producer, asked.source_id, asked.accepted
        )
        seen = result.report if result is not None and isinstance(result.report, Preview) else Preview()
        return EndedPreview(batch, n, request, seen)

    async def end_preview(self, batch: str, n: int, end: RequestEnd) -> bool:
        now = self._database.begin()
        row = self._database.open_batch(batch)
        if row is None:
            return False
        outcome = "previewed" if end.outcome == "previewed" else "failed"
        row.ended, row.outcome, row.reason = now, outcome, end.reason
        for _, attempt in self._database.attempts_of(batch):
            if attempt.ended is None:
                attempt.ended, attempt.outcome = now, outcome
        return self._database.end_request(end)

    def _around(self, batch: str, row: BatchRow) -> BatchContext:
        source_id = row.manifest.source_id
        files = [file for key, file in self._database.files.items() if key.source_id == source_id and file.waits]
        landed = [file.landed for file in files]
        looks = [row.look for key, row in self._database.arrivals.items() if key.source_id == source_id]
        landed += [look.landed for look in looks if not look.quiet]
        landed += [
            other.landed
            for id_, other in self._database.batches.items()
            if id_ != batch and other.ended is None and other.manifest.source_id == source_id and not other.request_id
        ]
        state = self._database.sources.get(source_id, SourceRow())
        return BatchContext(
            requests=tuple(found for id_ in sorted(self._database.requests) if (found := self._asking(id_, batch))),
            oldest_open=min(landed, default=None),
            newest_landed=state.newest_landed,
            waiting=StillWaiting(files=len(files), bytes=min(sum(file.size for file in files), MAX_BIGINT)),
            bytes_per_second=state.bytes_per_second,
        )

    def _asking(self, request_id: str, batch: str) -> RequestInBatch | None:
        row, asked = self._database.requests[request_id], self._database.files_asked(request_id)
        here = sum(file is not None and file.batch_id == batch for _, file in asked)
        if row.end is not None or not here:
            return None
        ended = [one.outcome is not None or (file is not None and file.outcome is not None) for one, file in asked]
        elsewhere = [file is None or file.batch_id != batch for _, file in asked]
        done = sum(list(map(all, zip(ended, elsewhere, strict=True)))[:COUNTED_AT_MOST])
        total = None if row.listed is None or len(asked) > COUNTED_AT_MOST else len(asked)
        return RequestInBatch(request_id, done, here, total)

    async def queue(self, batch: str, n: int, *, is_queued: bool) -> None:
        now = self._database.begin()
        row = self._database.attempts.get((batch, n))
        if row is not None and row.ended is None:
            row.queued = (row.queued or now) if is_queued else None

    async def fail_attempt(self, batch: str, n: int, decision: Again | Close | Void) -> bool:
        now = self._database.begin()
        row, result = self._database.open_batch(batch), self._database.results.get((batch, n))
        attempt = self._database.attempts.get((batch, n))
        if row is None or attempt is None or attempt.ended or (result is not None and result.state != "staged"):
            return False
        if self._closed_by_fence(batch, n, decision, row, attempt, now):
            return True
        match decision:
            case Void():
                if attempt.claimed_by is not None:
                    return False
                attempt.outcome, attempt.cause, row.due = "void", "infrastructure", now
            case Again():
                if decision.silent and attempt.touched and attempt.touched > now - decision.silent:
                    return False
                attempt.outcome, attempt.cause, row.due = "failed", decision.cause, now + decision.pause
                if decision.size_class is not None:
                    row.lane, row.size_class = "high-memory", decision.size_class
            case Close():
                attempt.outcome, attempt.cause, row.due = "failed", decision.cause, now
                if row.closing is None:
                    row.closing, row.splitting = decision.reason, decision.split
            case _:
                assert_never(decision)
        attempt.ended, attempt.reason = now, decision.reason
        return True

    def _closed_by_fence(
        self, batch: str, n: int, decision: Again | Close | Void, row: BatchRow, attempt: AttemptRow, now: datetime
    ) -> bool:
        if any(other.claimed_by is not None for _, other in self._database.attempts_of(batch)):
            return False
        if isinstance(decision, Close) and row.closing is None:
            row.closing, row.splitting = decision.reason, decision.split
        if row.closing is None:
            return False
        cause = "infrastructure" if isinstance(decision, Void) else decision.cause
        closed = Closed(
            cause=cause if isinstance(decision, Close) else "crash", reason=row.closing, split=row.splitting
        )
        attempt.cause, attempt.reason = cause, decision.reason
        self._database.results[batch, n] = ResultRow("closed", closed, ended=now)
        return True

    def _open_attempt(self, batch: str, n: int, row: AttemptRow, now: datetime) -> OpenAttempt:
        result = self._database.results.get((batch, n))
        earlier = [other for _, other in self._database.attempts_of(batch) if other.kind == row.kind]
        return OpenAttempt(
            batch=batch,
            n=n,
            source_id=self._database.batches[batch].manifest.source_id,
            lane=row.lane,
            kind=row.kind,
            size_class=row.size_class,
            age=now - (row.submitted or row.created),
            run_id=row.claimed_by or row.run_id,
            claimed_for=now - row.claimed if row.claimed is not None else None,
            silent=now - row.touched if row.touched is not None else None,
            closing=self._database.batches[batch].closing,
            result=None if result is None else result.state,
            cause=row.cause,
            reason=row.reason,
            trouble=row.trouble,
            failures=Counter(other.cause for other in earlier if other.ended is not None and other.cause is not None),
            files=len(self._database.files_of(batch)),
            split_from=self._database.batches[batch].split_from,
            target=row.target,
            is_queued=row.queued is not None,
        )
