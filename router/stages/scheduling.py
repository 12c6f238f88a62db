"""Ledger → Prefect: under the lease, admit lines, cut their batches, write the attempts; then create their runs.

A step creates what is written but not created, then writes what is due, then cuts what waits: what a router left when
it died goes before what is new. Who has had how much, and when a table was committed last, lives in memory: a router
that takes over begins with empty accounts and full buckets.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from router.errors import Refused, Transient
from router.facts import AttemptSubmitted, FilesNotConfigured, LeaseTaken, SubmissionFailed
from router.ports.clock import Clock
from router.ports.runs import Runs, Submission
from router.ports.scheduling import DueBatch, NewBatch, SchedulingLedger
from router.rules.belonging import Belonging
from router.rules.breaker import Targets
from router.rules.manifests import manifest_of
from router.rules.scheduling import (
    Accounts,
    Backlog,
    WaitingFile,
    charged,
    committed,
    cut,
    in_turn,
    is_due,
    may_commit,
    rebased,
)
from router.rules.sizing import Sizing, first_class
from router.slots import Room, Slots
from router.step import Pass, Step
from schemas.config import Config
from schemas.config.lanes import LANES, Lane
from schemas.config.sources import SourceConfig
from schemas.manifest import Glance

ROLE = "scheduling"
# Prefect's server creates 20-30 runs a second: a step must not keep the lease waiting for it. What is written beyond
# that, or what a slow Prefect leaves no time for, is submitted by the next step.
RUNS_A_STEP = 50
SUBMITTING_SECONDS = 5.0
PREVIEWS: Lane = "priority"


class SchedulingStage:
    """Fills the free slots of each lane, one step at a time."""

    name = "scheduling"

    def __init__(
        self,
        ledger: SchedulingLedger,
        runs: Runs,
        clock: Clock,
        *,
        slots: Slots,
        sizing: Sizing,
        belonging: Belonging,
        config: Config,
    ) -> None:
        self._config = config
        self._sources: Mapping[str, tuple[str, SourceConfig]] = {
            source.id: (name, source) for name, source in config.sources.items()
        }
        self._targets = Targets(config)
        self._ledger = ledger
        self._runs = runs
        self._clock = clock
        self._slots = slots
        self._sizing = sizing
        self._belonging = belonging
        self._accounts: dict[Lane, Accounts] = {lane: {} for lane in LANES}
        self._next_commits: dict[str, datetime] = {}
        self._had_half: set[tuple[str, Lane]] = set()
        self._epoch: int | None = None

    async def step(self, now: datetime) -> Step:
        """Go over the lanes once, and submit what was written for them."""
        epoch = await self._ledger.hold(ROLE)
        if epoch is None:
            return Step()
        slots, work = await self._slots.count(now), Pass()
        has_work = await self._ledger.has_work()
        submissions = await self._written(slots, epoch, work, now) if has_work else self._nothing(now)
        if epoch != self._epoch:
            work.facts.append(LeaseTaken(ROLE, epoch))
        self._epoch = epoch
        await self._submit_all(submissions, work)
        return work.step()

    async def _written(self, slots: Mapping[Lane, int], epoch: int, work: Pass, now: datetime) -> list[Submission]:
        """What is to be submitted: written before, or just now."""
        submissions = list(await self._ledger.unsubmitted(RUNS_A_STEP))
        most, taken = RUNS_A_STEP - len(submissions), await self._ledger.in_flight()
        room = Room({lane: min(most, of - taken.get(lane, 0)) for lane, of in slots.items()}, epoch, work)
        breakers = await self._ledger.breakers()
        room.away |= {breaker.target for breaker in breakers if breaker.is_open}
        room.to_try |= {breaker.target for breaker in breakers if breaker.is_half_open}
        for lane in room.lanes:
            submissions += await self._next_attempts(lane, room)
        submissions += await self._previews(room)
        if room.lanes:
            submissions += await self._batches(room, now)
        return submissions

    def _nothing(self, now: datetime) -> list[Submission]:
        """Nobody waits, so nobody's time of waiting goes on."""
        for lane, had in self._accounts.items():
            self._accounts[lane] = rebased(had, waiting=frozenset(), busy=frozenset(), now=now)
        return []

    async def _next_attempts(self, lane: Lane, room: Room) -> Sequence[Submission]:
        written = []
        behind = self._targets.behind(lane, room.away)
        for due in room.work.over(await self._ledger.due_batches(lane, room.free[lane], behind)):
            if not self._may_begin(due.source_id, lane, room):
                continue
            variables = self._sizing.job_variables(due.source_id, due.size_class)
            with room.work.item():
                if attempt := await self._ledger.begin_attempt(due, variables, room.epoch):
                    room.free[lane] -= 1
                    written.append(attempt)
                    await self._tries(due.source_id, lane, room)
        return written

    async def _previews(self, room: Room) -> Sequence[Submission]:
        if room.free[PREVIEWS] <= 0:
            return []
        written: list[Submission] = []
        may_begin = self._sources.keys() - self._targets.behind(PREVIEWS, room.away)
        for due in room.work.over(await self._ledger.previews(may_begin, room.free[PREVIEWS])):
            if not self._may_begin(due.source_id, PREVIEWS, room):
                continue
            glance = Glance(file=due.file, rows=due.rows)
            manifest = manifest_of(self._config, *self._sources[due.source_id], glance)
            batch = NewBatch(self._clock.new_batch_id(), PREVIEWS, 0, {}, manifest, request_id=due.request_id)
            with room.work.item():
                if submission := await self._ledger.cut(batch, room.epoch):
                    room.free[PREVIEWS] -= 1
                    written.append(submission)
                    await self._tries(due.source_id, PREVIEWS, room)
        return written

    async def _batches(self, room: Room, now: datetime) -> Sequence[Submission]:
        backlogs = [backlog for backlog in await self._ledger.backlogs() if backlog.source_id in self._sources]
        halves = await self._ledger.halves()
        room.busy |= await self._ledger.busy() if backlogs or halves else set()
        return [submission for lane in room.lanes for submission in await self._fill(lane, backlogs, halves, room, now)]

    async def _fill(
        self, lane: Lane, backlogs: Sequence[Backlog], halves: Sequence[DueBatch], room: Room, now: datetime
    ) -> Sequence[Submission]:
        lines = {backlog.source_id: backlog for backlog in backlogs if backlog.lane == lane}
        halves_of = {half.source_id: half for half in halves if half.lane == lane}
        waiting = lines.keys() | halves_of.keys()
        busy = {source_id for source_id, of in room.busy if of == lane}
        self._accounts[lane] = rebased(self._accounts[lane], waiting=waiting, busy=busy, now=now)
        written = []
        for source_id in room.work.over(in_turn(self._accounts[lane], waiting - busy, now=now)):
            if room.free[lane] <= 0:
                break
            if not self._may_begin(source_id, lane, room):
                continue
            try:
                submission = await self._serve(lines.get(source_id), halves_of.get(source_id), room, now)
            except Transient as trouble:  # it has had its turn
                room.work.troubles.append(str(trouble))
                self._accounts[lane] = charged(self._accounts[lane], source_id, estimated=0, weight=1, now=now)
                continue
            if submission is not None:
                written.append(submission)
                await self._tries(source_id, submission.lane, room)
        return written

    def _may_begin(self, source_id: str, lane: Lane, room: Room) -> bool:
        """Whether all is there that a batch of this source would need."""
        return not self._targets.of(source_id, lane) & room.away

    async def _tries(self, source_id: str, lane: Lane, room: Room) -> None:
        """A batch was begun. What it is the first to try again is away for the others until it has ended."""
        if trying := self._targets.of(source_id, lane) & room.to_try:
            room.away |= trying
            room.to_try -= trying
            await self._ledger.hold_back(trying)

    async def _serve(self, line: Backlog | None, half: DueBatch | None, room: Room, now: datetime) -> Submission | None:
        """A half of a split batch first, then in turns: many a split must not hold back what has landed since."""
        if line is not None and (half is None or (half.source_id, half.lane) in self._had_half):
            self._had_half.discard((line.source_id, line.lane))
            if submission := await self._cut(line, room, now):
                return submission
        return None if half is None else await self._begin(half, room, now)

    async def _begin(self, half: DueBatch, room: Room, now: datetime) -> Submission | None:
        variables = self._sizing.job_variables(half.source_id, half.size_class)
        submission = await self._ledger.begin_attempt(half, variables, room.epoch)
        if submission is not None:
            room.take(half.source_id, half.lane)
            self._charge(half.source_id, half.lane, half.estimate, now)
            self._had_half.add((half.source_id, half.lane))
        return submission

    async def _cut(self, line: Backlog, room: Room, now: datetime) -> Submission | None:
        name, source = self._sources[line.source_id]
        asked_for = line.lane == "priority"
        if not asked_for and not self._may_commit(source.into.table, now):
            return None
        waiting = await self._still_taken(line, source.batch.max_files, room)
        if not waiting:
            return None
        max_bytes = self._sizing.max_bytes(source, line.lane, line.bytes_per_second)
        files = cut(waiting, max_files=source.batch.max_files, max_bytes=max_bytes)
        is_full = len(files) < len(waiting) or len(files) == source.batch.max_files
        if not asked_for and not is_due(line, is_full=is_full, min_wait=source.batch.min_wait, now=now):
            return None
        estimated = sum(file.estimate for file in files)
        lane = self._sizing.lane_of_batch(source, line.lane, estimated, line.bytes_per_second)
        if not room.has(line.source_id, lane):
            return None
        size_class = first_class(lane)
        variables = self._sizing.job_variables(line.source_id, size_class)
        batch = NewBatch(
            self._clock.new_batch_id(), lane, size_class, variables, manifest_of(self._config, name, source), files
        )
        submission = await self._ledger.cut(batch, room.epoch)
        if submission is not None:
            room.take(line.source_id, lane)
            self._charge(line.source_id, line.lane, estimated, now)
        return submission

    async def _still_taken(self, line: Backlog, limit: int, room: Room) -> Sequence[WaitingFile]:
        """The first of a line; what its source does not take any more, as the configuration is now, ends here."""
        waiting = await self._ledger.waiting(line.source_id, line.lane, limit)
        refusals = [
            (file.identity, why) for file in waiting if (why := self._belonging.refusal(line.source_id, file.uri))
        ]
        if not refusals:
            return waiting
        refused = await self._ledger.fail_waiting(refusals, room.epoch)
        room.work.facts.append(FilesNotConfigured(refused, line.source_id, refusals[0][1]))
        gone = {key for key, _ in refusals}
        return [file for file in waiting if file.identity not in gone]

    def _may_commit(self, table: str, now: datetime) -> bool:
        interval, burst = self._config.commit_interval, self._config.commit_burst
        return may_commit(self._next_commits.get(table), interval=interval, burst=burst, now=now)

    def _charge(self, source_id: str, lane: Lane, estimated: int, now: datetime) -> None:
        _, source = self._sources.get(source_id, (None, None))  # halves go on when their source is configured no more
        weight = source.weight if source is not None else 1
        self._accounts[lane] = charged(self._accounts[lane], source_id, estimated=estimated, weight=weight, now=now)
        if source is not None:
            table, interval = source.into.table, self._config.commit_interval
            self._next_commits[table] = committed(self._next_commits.get(table), interval=interval, now=now)

    async def _submit_all(self, submissions: Sequence[Submission], work: Pass) -> None:
        """Whom Prefect does not answer at all gives the lease to a router that it may answer."""
        submitting, answered = Pass(SUBMITTING_SECONDS), 0
        for submission in submitting.over(submissions):
            with submitting.item():
                answered += await self._submit(submission, work)
        work.is_cut_short |= submitting.is_cut_short
        work.troubles += submitting.troubles
        if submissions and not answered:
            with work.item():
                await self._ledger.release(ROLE)

    async def _submit(self, submission: Submission, work: Pass) -> bool:
        """Whether Prefect answered. One that it would not have is put off, and that is told: the others go on."""
        source, batch, n, lane = submission.source_id, submission.batch, submission.n, submission.lane
        try:
            run_id = await self._runs.submit(submission)
        except Transient as trouble:
            await self._ledger.put_off(submission, str(trouble))
            work.facts.append(SubmissionFailed(source, batch, n, lane, str(trouble)))
            if isinstance(trouble, Refused):
                return True
            raise
        await self._ledger.save_run(submission, run_id)
        work.facts.append(AttemptSubmitted(source, batch, n, run_id, lane))
        return True
