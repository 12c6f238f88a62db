"""Prometheus metrics: every name with its meaning. What happened is counted from the facts of the steps, nowhere else.

What stands (the backlog, the lag) is told by whoever knows it when somebody asks. A counter whose labels are known
beforehand begins at 0: Prometheus sees no increase in a series that it first meets at 1.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice, product
from typing import assert_never, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics

from router import facts
from router.errors import Reason
from router.facts import Fact, Next, count_of, name_of
from router.rules.status import Standing
from schemas.completions import BatchOutcome
from schemas.config import Config
from schemas.config.lanes import LANES, Lane

STEP_SECONDS = (0.005, 0.02, 0.1, 0.5, 1, 5, 30)
SPAN_SECONDS = (0.5, 1, 2, 5, 10, 20, 60, 300, 1800, 3600)
LINE = ("source", "lane")
MAX_SOURCES = 200  # with labels of their own; each has some fifty series a lane
OTHERS = "(others)"  # no id of a source
ROLES = ("scheduling", "publication")
RECORDS = ("new", "to-measure", "known", "removed", "unmatched", "dead-lettered")
FILES = ("loaded", "not-loaded")
Announced = facts.EventsRecorded | facts.EventsUnmatched | facts.FilesRemoved | facts.RecordsDeadLettered


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits of a source in a lane; `landed` of the first."""

    source_id: str
    lane: str
    files: int
    bytes: int
    landed: datetime


class Metrics:
    """A registry of our own, so that a process may hold several routers.

    Sources are told by their ids: the first 200 of those given, all others together.
    """

    def __init__(self, source_ids: Iterable[str]) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # it would tell a second series of each counter
        self.registry = CollectorRegistry()
        self._named = frozenset(islice(source_ids, MAX_SOURCES))
        self._facts = self._counter(
            "autoloader_facts_total", "Things that happened, by stage and kind: the events of the log", "stage", "fact"
        )
        self._records = self._counter(
            "autoloader_records_total", "Announcements in records, by what became of them", "outcome"
        )
        self._files = self._counter("autoloader_files_ended_total", "Files of ended batches", "source", "outcome")
        self._rows = self._counter("autoloader_rows_loaded_total", "Rows that were loaded", "source")
        self._dead_letters = self._counter("autoloader_dead_letters_total", "Records that could not be used", "reason")
        self._batches = self._counter(
            "autoloader_batches_ended_total", "Batches that ended, by outcome", "source", "lane", "outcome"
        )
        self._requests = self._counter("autoloader_requests_ended_total", "Requests answered", "kind", "outcome")
        self._failures = self._counter("autoloader_attempts_failed_total", "Failed attempts, by what is next", "next")
        self._repaired = self._counter("autoloader_sweep_repairs_total", "Attempts of whose end no webhook had told")
        self._leases = self._counter(
            "autoloader_lease_changes_total", "Times this router took a lease that another had", "role"
        )
        self._queryable = self._spans("autoloader_landed_to_queryable_seconds", "From landing to rows in the table")
        self._submitted = self._spans("autoloader_event_to_submitted_seconds", "From landing to a run in Prefect")
        self._started = self._spans("autoloader_submitted_to_started_seconds", "From the run to its begin by a worker")
        self._backlog_files = self._gauge(
            "autoloader_backlog_files", "Files that wait, up to 100,000 a line and a million together", *LINE
        )
        self._backlog_bytes = self._gauge("autoloader_backlog_bytes", "Their bytes as they landed", *LINE)
        self._backlog_age = self._gauge("autoloader_backlog_oldest_seconds", "Age of the first in line", *LINE)
        self._counted = self._gauge(
            "autoloader_backlog_counted_timestamp_seconds", "When the backlog was last counted, in seconds since 1970"
        )
        self._held_up = self._gauge(
            "autoloader_runs_held_up", "Runs that Kubernetes cannot begin, by what it says", "lane", "diagnosis"
        )
        self._lag = self._gauge("autoloader_consumer_lag_records", "Records that are not read yet", "topic")
        self._behind = self._gauge("autoloader_consumer_behind_seconds", "Age of the first not taken in", "topic")
        self._objective = self._gauge("autoloader_objective_seconds", "How soon rows should be in the table", "source")
        self._paused = self._gauge("autoloader_source_paused", "1 while nothing of a source is cut", "source")
        self._measuring = self._gauge("autoloader_to_measure_files", "Files that the storage is asked about", "source")
        self._flying_files = self._gauge("autoloader_in_flight_files", "Files of open batches", "source")
        self._slots = self._gauge("autoloader_lane_slots", "The most runs of a lane at once", "lane")
        self._in_flight = self._gauge("autoloader_lane_in_flight", "Slots of a lane that are taken", "lane")
        self._waiting = self._gauge("autoloader_lane_waiting", "Runs that a lane could have besides", "lane")
        self._leases_held = self._gauge("autoloader_lease_held", "1 while this router holds the lease", "role")
        self._outbox = self._gauge("autoloader_outbox_events", "Events not published yet, up to 100,000")
        self._outbox_age = self._gauge("autoloader_outbox_oldest_seconds", "Age of the first of them")
        self._connections = self._gauge("autoloader_ledger_connections", "Connections to the ledger's server")
        self._connections_limit = self._gauge("autoloader_ledger_connections_limit", "The most that it takes")
        self._ledger_bytes = self._gauge("autoloader_ledger_bytes", "The ledger's size on disk")
        self._steps = Histogram(
            "autoloader_step_seconds",
            "How long a step of a stage took",
            ["stage"],
            registry=self.registry,
            buckets=STEP_SECONDS,
        )
        self._trouble = self._gauge(
            "autoloader_stage_in_trouble", "1 while what a stage depends on does not answer", "stage"
        )
        self._progress = self._gauge(
            "autoloader_stage_progress_timestamp_seconds",
            "When a stage last came to the end of a step, in seconds since 1970",
            "stage",
        )
        self._begin_at_zero()

    def _begin_at_zero(self) -> None:
        for outcome in RECORDS:
            self._records.labels(outcome)
        for reason in get_args(Reason):
            self._dead_letters.labels(reason)
        for following in get_args(Next):
            self._failures.labels(following)
        for role in ROLES:
            self._leases.labels(role)
        for source in sorted(self._named):
            self._rows.labels(source)
            for outcome in FILES:
                self._files.labels(source, outcome)
            for lane, outcome in product(LANES, get_args(BatchOutcome)):
                self._batches.labels(source, lane, outcome)

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(name, meaning, labels, registry=self.registry)

    def _gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        return Gauge(name, meaning, labels, registry=self.registry)

    def _spans(self, name: str, meaning: str) -> Histogram:
        return Histogram(name, f"{meaning}, a batch", LINE, registry=self.registry, buckets=SPAN_SECONDS)

    def stepped(self, stage: str, seconds: float, now: datetime, *, in_trouble: bool) -> None:
        """A step came to its end."""
        self._steps.labels(stage).observe(seconds)
        self._progress.labels(stage).set(now.timestamp())
        self._trouble.labels(stage).set(in_trouble)

    def happened(self, stage: str, fact: Fact) -> None:
        """Count a fact of a step as such, and where it counts besides."""
        count = count_of(fact)
        self._facts.labels(stage, name_of(type(fact))).inc(count)
        match fact:
            case facts.EventsRecorded() | facts.EventsUnmatched() | facts.FilesRemoved() | facts.RecordsDeadLettered():
                self._announced(fact)
            case facts.BatchEnded():
                self._batch_ended(fact)
            case facts.RequestEnded():
                self._requests.labels(fact.kind, fact.outcome).inc()
            case facts.AttemptFailed():
                self._failures.labels(fact.next).inc()
            case facts.SweepRepaired():
                self._repaired.inc(count)
            case facts.LeaseTaken():
                self._leases.labels(fact.role).inc()
            case (
                facts.RemovalsRecorded()
                | facts.ArrivalsMeasured()
                | facts.ObjectsNotThere()
                | facts.FilesNotConfigured()
                | facts.MeasuringFailed()
                | facts.RequestsRecorded()
                | facts.RequestListed()
                | facts.ListingFailed()
                | facts.RequestsGivenUp()
                | facts.AttemptSubmitted()
                | facts.SubmissionFailed()
                | facts.RunNotCancelled()
                | facts.BreakerOpened()
                | facts.BreakerClosed()
                | facts.EventsPublished()
                | facts.EventsShortened()
                | facts.EventSetAside()
            ):
                pass  # counted as a fact alone
            case _:
                assert_never(fact)

    def _announced(self, fact: Announced) -> None:
        count = fact.count
        match fact:
            case facts.EventsRecorded():
                self._records.labels("new").inc(fact.new_files)
                self._records.labels("to-measure").inc(fact.to_measure)
                self._records.labels("known").inc(count - fact.new_files - fact.to_measure)
            case facts.EventsUnmatched():
                self._records.labels("unmatched").inc(count)
            case facts.FilesRemoved():
                self._records.labels("removed").inc(count)
            case facts.RecordsDeadLettered():
                self._records.labels("dead-lettered").inc(count)
                self._dead_letters.labels(fact.reason).inc(count)
            case _:
                assert_never(fact)

    def _batch_ended(self, fact: facts.BatchEnded) -> None:
        line = self._source(fact.source), fact.lane
        self._batches.labels(*line, fact.outcome).inc()
        self._files.labels(line[0], "loaded").inc(fact.files_loaded)
        self._files.labels(line[0], "not-loaded").inc(fact.files - fact.files_loaded)
        self._rows.labels(line[0]).inc(fact.rows)
        for histogram, seconds in (
            (self._queryable, fact.seconds_landed_to_queryable),
            (self._submitted, fact.seconds_event_to_submit),
            (self._started, fact.seconds_submit_to_start),
        ):
            if seconds is not None:
                histogram.labels(*line).observe(seconds, _example(fact))

    def _source(self, source_id: str) -> str:
        return source_id if source_id in self._named else OTHERS

    def waits(self, backlogs: Sequence[Backlog], now: datetime) -> None:
        """All that waits just now: a line that is not named has nothing."""
        for gauge in (self._backlog_files, self._backlog_bytes, self._backlog_age):
            gauge.clear()
        first: dict[tuple[str, str], datetime] = {}
        for line in backlogs:
            labels = (self._source(line.source_id), line.lane)
            self._backlog_files.labels(*labels).inc(line.files)
            self._backlog_bytes.labels(*labels).inc(line.bytes)
            first[labels] = min(first.get(labels, line.landed), line.landed)
        for labels, landed in first.items():
            self._backlog_age.labels(*labels).set(_seconds(landed, now))
        self._counted.set(now.timestamp())

    def configured(self, config: Config) -> None:
        """What the configuration says: objectives, and the line in which most of a source's batches will be."""
        for source in config.sources.values():
            if source.id in self._named:
                self._objective.labels(source.id).set(source.objective.total_seconds())
                self._queryable.labels(source.id, source.lane.pin if source.lane else "default")

    def slots(self, slots: Mapping[Lane, int]) -> None:
        """The slots of the lanes, as far as they are known."""
        self._slots.clear()
        for lane, count in slots.items():
            self._slots.labels(lane).set(count)

    def stands(self, standing: Standing, now: datetime) -> None:
        """All that stands in the ledger beside the backlog: what is not named is none."""
        for gauge, files in (
            (self._flying_files, standing.in_flight_files),
            (self._measuring, standing.to_measure_files),
            (self._paused, dict.fromkeys(standing.paused, 1)),
        ):
            gauge.clear()
            for source_id, count in files.items():
                gauge.labels(self._source(source_id)).inc(count)
        for lane in LANES:
            self._in_flight.labels(lane).set(standing.in_flight.get(lane, 0))
            self._waiting.labels(lane).set(standing.waiting.get(lane, 0))
        for role in ROLES:
            self._leases_held.labels(role).set(role in standing.roles)
        self._outbox.set(standing.outbox_events)
        self._outbox_age.set(_seconds(standing.outbox_since or now, now))
        self._connections.set(standing.connections)
        self._connections_limit.set(standing.connections_limit)
        self._ledger_bytes.set(standing.bytes)

    def behind(self, since: Mapping[str, datetime], topics: Iterable[str], now: datetime) -> None:
        """How old the first record is that is not taken in, by topic; nothing waits of those not named in `since`."""
        for topic in topics:
            self._behind.labels(topic).set(_seconds(since.get(topic, now), now))

    def lags(self, records: Mapping[str, int]) -> None:
        """Records that are not read yet, by topic."""
        for topic, count in records.items():
            self._lag.labels(topic).set(count)

    def held_up(self, runs: Mapping[tuple[Lane, str], int]) -> None:
        """All runs that do not begin, by lane and what Kubernetes says: what is not named is well."""
        self._held_up.clear()
        for labels, count in runs.items():
            self._held_up.labels(*labels).set(count)

    def exposition(self, *, with_examples: bool = False) -> bytes:
        """The text that Prometheus scrapes; as OpenMetrics it has an example of each bucket, by batch and run."""
        render: Callable[[CollectorRegistry], bytes] = openmetrics.generate_latest if with_examples else generate_latest
        return render(self.registry)


def _example(fact: facts.BatchEnded) -> dict[str, str]:
    return {"batch": fact.batch, **({"run": fact.run} if fact.run else {})}


def _seconds(since: datetime, now: datetime) -> float:
    return max(0.0, (now - since).total_seconds())
