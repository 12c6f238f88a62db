"""Ledger → Prefect: under the lease, admit sources, cut their batches, write the attempts; then create their runs."""

from collections.abc import Mapping
from datetime import datetime

from router.ports import BatchLedger, Clock, NewBatch, Runs, Submission
from router.rules.scheduling import admit, cut
from router.step import Fact, Keys, Step
from schemas.config import LANES, Config, Lane, SourceConfig
from schemas.manifest import Manifest

ROLE = "scheduling"
# Prefect's server creates 20-30 runs a second: a step must not keep the lease waiting for it.
RUNS_A_STEP = 50


class SchedulingStage:
    """Creates what is written but not created, then writes what is due, then cuts what waits."""

    name = "scheduling"

    def __init__(self, config: Config, ledger: BatchLedger, runs: Runs, clock: Clock) -> None:
        self._lanes = config.lanes
        self._sources: Mapping[str, tuple[str, SourceConfig]] = {
            source.id: (name, source) for name, source in config.sources.items()
        }
        self._ledger = ledger
        self._runs = runs
        self._clock = clock

    async def step(self, now: datetime) -> Step:
        """One round over the lanes."""
        epoch = await self._ledger.hold(ROLE)
        if epoch is None:
            return Step()
        submissions = list(await self._ledger.unsubmitted(RUNS_A_STEP))
        for lane in LANES:
            submissions += await self._fill(lane, epoch)
        return Step(tuple([await self._submit(submission) for submission in submissions]))

    async def _fill(self, lane: Lane, epoch: int) -> list[Submission]:
        free = self._lanes.of(lane).slots - await self._ledger.in_flight(lane)
        written: list[Submission] = []
        if free <= 0:
            return written
        for due in await self._ledger.due_batches(RUNS_A_STEP):
            if due.lane == lane and len(written) < free and (attempt := await self._ledger.attempt(due, epoch)):
                written.append(attempt)
        if lane == "default":
            written += await self._cut(free - len(written), epoch)
        return written

    async def _cut(self, free: int, epoch: int) -> list[Submission]:
        if free <= 0:
            return []
        backlogs = await self._ledger.backlogs(sorted(self._sources))
        busy = await self._ledger.busy_sources("default") if backlogs else frozenset()
        cuts = [
            await self._cut_of(source_id, epoch) for source_id in admit(backlogs, busy_sources=busy, free_slots=free)
        ]
        return [submission for submission in cuts if submission is not None]

    async def _cut_of(self, source_id: str, epoch: int) -> Submission | None:
        name, source = self._sources[source_id]
        waiting = await self._ledger.waiting(source_id, source.batch.max_files)
        files = cut(waiting, max_files=source.batch.max_files, max_bytes=source.batch.max_bytes)
        if not files:
            return None
        manifest = Manifest(
            source_id=source_id,
            source_name=name,
            table=source.into.table,
            format=source.format,
            columns=source.columns,
            partition=source.into.partition,
        )
        return await self._ledger.cut(NewBatch(self._clock.new_batch_id(), "default", manifest, files), epoch)

    async def _submit(self, submission: Submission) -> Fact:
        run_id = await self._runs.submit(submission)
        await self._ledger.submitted(submission, run_id)
        keys: Keys = {"source": submission.source_id, "batch": submission.batch, "attempt": submission.n, "run": run_id}
        return Fact("attempt_submitted", {**keys, "lane": submission.lane})
