"""Results and Prefect → ledger: how each attempt ended, by the table in `rules.recovery`.

A webhook only says where to look first; the sweep looks at every open attempt. What its run has reported is settled
from the ledger alone, and so are requests answered; Prefect is asked about the others last, so that nothing waits for
it that need not. A batch ends under the lock that its run's fence takes: whichever comes second finds that it is over.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from typing import assert_never

from router.errors import Transient
from router.facts import (
    AttemptFailed,
    BatchEnded,
    BreakerClosed,
    BreakerOpened,
    Fact,
    Next,
    RequestEnded,
    RequestsGivenUp,
    RunNotCancelled,
    SweepRepaired,
)
from router.ports.requests import RequestLedger
from router.ports.runs import Runs
from router.ports.settlement import SettlementLedger
from router.rules import pools
from router.rules.answers import answered, previewed
from router.rules.breaker import OPENS_AT, Targets
from router.rules.patience import patience_of
from router.rules.permissions import Permissions
from router.rules.recovery import (
    LIVING,
    Again,
    Close,
    Closed,
    Decision,
    GiveUp,
    Loaded,
    OpenAttempt,
    Previewed,
    RunState,
    Void,
    Wait,
    decide,
)
from router.rules.settlement import EndedBatch, Settlement, settle
from router.rules.sizing import Sizing
from router.rules.splitting import Split, split
from router.step import Pass, Step
from schemas.completions import SourceName
from schemas.config import Config
from schemas.config.lanes import LANES, Lane
from schemas.report import Preview
from schemas.traces import trace_ids

SWEEP_EVERY = timedelta(seconds=15)
MAX_HINTS = 10_000
REMOVED_AFTER = timedelta(minutes=10)
REQUESTS_A_STEP = 20
NEXT: Mapping[type[Again | Void | Close], Next] = {Again: "again", Void: "void", Close: "close"}
REPORTED = {"published", "closed", "previewed"}


class SettlementStage:
    """Looks at the hinted attempts at once, at all of them every sweep, and at requests that are at their end."""

    name = "settlement"

    def __init__(
        self,
        ledger: SettlementLedger,
        requests: RequestLedger,
        runs: Runs,
        *,
        permissions: Permissions,
        sizing: Sizing,
        config: Config,
    ) -> None:
        self._ledger = ledger
        self._requests = requests
        self._runs = runs
        self._permissions = permissions
        self._sizing = sizing
        self._patience = {lane: patience_of(config, lane) for lane in LANES}
        self._targets = Targets(config)
        self._in_pods = frozenset(lane for lane in LANES if pools.is_sized(config.lanes.of(lane).pool.type))
        self._held_up: Mapping[tuple[Lane, str], int] = {}
        self._hints: set[str] = set()
        self._next_sweep: datetime | None = None
        self._began: datetime | None = None
        self._listening_since: datetime | None = None
        self._gone: dict[str, datetime] = {}

    def hint(self, run_id: str) -> None:
        """A run may have ended. Hints beyond ten thousand are dropped: the sweep finds them."""
        if len(self._hints) < MAX_HINTS:
            self._hints.add(run_id)

    def held_up(self) -> Mapping[tuple[Lane, str], int]:
        """How many runs do not begin for a reason that Kubernetes gave, at the last sweep: by lane and category."""
        return self._held_up

    async def step(self, now: datetime) -> Step:
        """Settle what has reported, and answer requests: neither needs Prefect. Then ask that about the others."""
        work, hints = Pass(), set(self._hints)
        sweeping = self._next_sweep is None or now >= self._next_sweep
        attempts = await self._attempts(None if sweeping else hints, now)
        await self._settle_all([attempt for attempt in attempts if attempt.result in REPORTED], {}, work, now)
        settled = len(work.facts)
        if sweeping:
            await self._give_up_removed(work, now)
        await self._answer(work, now)
        answers = len(work.facts) - settled
        with work.item():
            working = [attempt for attempt in attempts if attempt.result not in REPORTED]
            states = await self._ask(working, work, now)
            if sweeping:
                self._held_up = self._not_begun(working, states)
            if not work.is_cut_short:
                self._hints -= hints
                self._next_sweep = now + SWEEP_EVERY if sweeping else self._next_sweep
        if sweeping and not hints and (repaired := len(work.facts) - answers):
            work.facts.append(SweepRepaired(repaired))
        return work.step(more=bool(work.facts))

    async def _attempts(self, hints: AbstractSet[str] | None, now: datetime) -> Sequence[OpenAttempt]:
        """Those that are hinted at; all of them when there is no word of hints. A ledger that is away hears nobody."""
        if hints is not None and not hints:
            return []
        try:
            attempts = await self._ledger.open_attempts(None if hints is None else sorted(hints))
        except Transient:
            self._listening_since = None
            raise
        self._listening_since = self._listening_since or now
        if hints is None:
            self._gone = {one.run_id: self._gone[one.run_id] for one in attempts if one.run_id in self._gone}
        return attempts

    async def _give_up_removed(self, work: Pass, now: datetime) -> None:
        """Not at once: while a deployment rolls, routers of the configuration before and of the next are there."""
        self._began = self._began or now
        if now - self._began < REMOVED_AFTER:
            return
        with work.item():
            given_up = await self._requests.give_up_removed(self._permissions.source_ids, REMOVED_AFTER)
            if given_up:
                work.facts.append(RequestsGivenUp(given_up, "unknown-source"))

    async def _answer(self, work: Pass, now: datetime) -> None:
        with work.item():
            for request_id in work.over(await self._requests.requests_at_end(REQUESTS_A_STEP)):
                with work.item():
                    finished = await self._requests.request_to_answer(request_id)
                    if finished is None:
                        continue
                    end = answered(finished, self._name(finished.source_id), now=now)
                    if await self._requests.end_request(end):
                        work.facts.append(RequestEnded(end.id, finished.kind, end.outcome, end.reason))

    async def _ask(self, attempts: Sequence[OpenAttempt], work: Pass, now: datetime) -> Mapping[str, RunState]:
        run_ids = [attempt.run_id for attempt in attempts if attempt.run_id]
        in_pods = [attempt.run_id for attempt in attempts if attempt.run_id and attempt.lane in self._in_pods]
        states = self._looked_for(await self._runs.states(run_ids, in_pods), now) if run_ids else {}
        await self._settle_all(attempts, states, work, now)
        return states

    def _looked_for(self, states: Mapping[str, RunState], now: datetime) -> Mapping[str, RunState]:
        """For how long it does not know a run, Prefect cannot tell."""
        for run_id, run in states.items():
            if run.phase != "gone":
                self._gone.pop(run_id, None)
        since = {run_id: self._gone.setdefault(run_id, now) for run_id, run in states.items() if run.phase == "gone"}
        return {**states, **{run_id: RunState("gone", age=now - at) for run_id, at in since.items()}}

    def _not_begun(
        self, attempts: Sequence[OpenAttempt], states: Mapping[str, RunState]
    ) -> Mapping[tuple[Lane, str], int]:
        runs = [(one.lane, states[one.run_id]) for one in attempts if one.run_id is not None and one.run_id in states]
        return Counter((lane, why) for lane, run in runs if (why := run.held_up(self._patience[lane])))

    async def _settle_all(
        self, attempts: Sequence[OpenAttempt], states: Mapping[str, RunState], work: Pass, now: datetime
    ) -> None:
        for attempt in work.over(attempts):
            run = states.get(attempt.run_id) if attempt.run_id else None
            last_class = self._sizing.last_class(attempt.source_id)
            decision = decide(
                attempt,
                run,
                patience=self._patience[attempt.lane],
                listening=now - (self._listening_since or now),
                last_class=last_class,
            )
            with work.item():
                work.facts += await self._apply(decision, attempt, run, now)

    async def _apply(self, decision: Decision, attempt: OpenAttempt, run: RunState | None, now: datetime) -> list[Fact]:
        match decision:
            case Wait():
                return await self._wait(attempt, run)
            case Loaded() | Closed():
                return await self._settle(attempt, now)
            case Previewed():
                return await self._end_preview(attempt, None, now)
            case GiveUp():
                return await self._end_preview(attempt, decision.reason, now)
            case Again() | Void() | Close():
                facts = await self._fail(attempt, decision)
                if facts and attempt.run_id is not None and (run is None or run.phase in LIVING):
                    facts += await self._cancel(attempt.run_id, attempt.lane, decision.reason)
                return facts
            case _:
                assert_never(decision)

    async def _wait(self, attempt: OpenAttempt, run: RunState | None) -> list[Fact]:
        """What waits for its quota holds no slot."""
        is_queued = attempt.is_queued if run is None else run.waits_for_quota(self._patience[attempt.lane])
        if is_queued != attempt.is_queued:
            await self._ledger.queue(attempt.batch, attempt.n, is_queued=is_queued)
        return []

    async def _cancel(self, run_id: str, lane: Lane, reason: str) -> list[Fact]:
        """It could not claim its attempt any more, or pass the fence: to let it go on is only a waste."""
        try:
            await self._runs.cancel(run_id, reason, in_pod=lane in self._in_pods)
        except Transient as trouble:
            return [RunNotCancelled(run_id, str(trouble))]
        return []

    async def _settle(self, attempt: OpenAttempt, now: datetime) -> list[Fact]:
        batch = await self._ledger.batch_to_settle(attempt.batch, attempt.n)
        if batch is None:
            return []
        run_url = self._runs.url(batch.run_id) if batch.run_id else None
        end = split(batch, now=now, run_url=run_url) or settle(batch, now=now, run_url=run_url)
        if not await (self._ledger.split_batch(end) if isinstance(end, Split) else self._ledger.settle_batch(end)):
            return []
        there = await self._ledger.close_breakers(self._targets.of(attempt.source_id, attempt.lane))
        closed = [BreakerClosed(breaker.target) for breaker in there if breaker.failures >= OPENS_AT]
        return [_batch_ended(batch, end), *closed]

    async def _end_preview(self, attempt: OpenAttempt, failed: str | None, now: datetime) -> list[Fact]:
        ended = await self._ledger.preview_to_answer(attempt.batch, attempt.n)
        if ended is None:
            return []
        preview = Preview(refused=failed) if failed is not None else ended.preview
        end = previewed(ended.request, self._name(ended.request.source_id), preview, now=now)
        if not await self._ledger.end_preview(attempt.batch, attempt.n, end):
            return []
        return [RequestEnded(end.id, ended.request.kind, end.outcome, end.reason)]

    def _name(self, source_id: str | None) -> SourceName | None:
        return None if source_id is None else self._permissions.name(source_id)

    async def _fail(self, attempt: OpenAttempt, decision: Again | Close | Void) -> list[Fact]:
        if not await self._ledger.fail_attempt(attempt.batch, attempt.n, decision):
            return []
        failed = AttemptFailed(attempt.batch, attempt.n, NEXT[type(decision)], decision.reason)
        return [failed, *await self._away(attempt, decision)]

    async def _away(self, attempt: OpenAttempt, decision: Again | Close | Void) -> list[Fact]:
        """What a run found away counts against that; a server that went away under a load may be the load's fault."""
        target = self._targets.named(attempt.source_id, attempt.target)
        if target is None or not isinstance(decision, Again) or decision.cause != "infrastructure":
            return []
        breaker = await self._ledger.count_failure(target, decision.reason)
        if breaker is None or not breaker.is_open:
            return []
        return [BreakerOpened(target, breaker.pause.total_seconds(), decision.reason)]


def _batch_ended(batch: EndedBatch, end: Settlement | Split) -> BatchEnded:
    source = batch.manifest.source_id
    if isinstance(end, Split):
        return BatchEnded(source, batch.id, batch.n, batch.lane, "split", end.reason, files=0, files_loaded=0, rows=0)
    return BatchEnded(
        source,
        batch.id,
        batch.n,
        batch.lane,
        end.outcome,
        end.reason,
        len(end.files),
        sum(file.outcome == "loaded" for file in end.files),
        sum(file.rows for file in end.files),
        batch.run_id,
        seconds_event_to_submit=end.seconds.get("event_to_submit"),
        seconds_submit_to_start=end.seconds.get("submit_to_start"),
        seconds_load=end.seconds.get("load"),
        seconds_landed_to_queryable=end.seconds.get("landed_to_queryable"),
        traces=trace_ids(batch.traces.values()),
    )
