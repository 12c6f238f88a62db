"""Prometheus metrics: every name with its meaning. What happened is counted from the facts of the steps, nowhere else.

What stands (the backlog, the lag) is told by whoever knows it when somebody asks.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import assert_never

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from router import facts
from router.facts import Fact, count_of, name_of
from schemas.config.lanes import Lane

STEP_SECONDS = (0.005, 0.02, 0.1, 0.5, 1, 5, 30)
SPAN_SECONDS = (0.5, 1, 2, 5, 10, 20, 60, 300, 1800, 3600)
LINE = ("source", "lane")
MAX_SOURCES = 200  # with labels of their own; each has some fifty series a lane
OTHERS = "(others)"  # no id of a source
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
        self.registry = CollectorRegistry()
        self._named = frozenset(islice(source_ids, MAX_SOURCES))
        self._facts = self._counter(
            "autoloader_facts_total", "Things that happened, by stage and kind: the events of the log", "stage", "fact"
        )
        self._records = self._counter(
            "autoloader_records_total", "Announcements in records, by what became of them", "outcome"
        )
        self._dead_letters = self._counter("autoloader_dead_letters_total", "Records that could not be used", "reason")
        self._batches = self._counter(
            "autoloader_batches_ended_total", "Batches that ended, by outcome", "source", "lane", "outcome"
        )
        self._requests = self._counter("autoloader_requests_ended_total", "Requests answered", "kind", "outcome")
        self._failures = self._counter(
            "autoloader_attempts_failed_total", "Attempts that failed, by what comes next", "next"
        )
        self._repaired = self._counter(
            "autoloader_sweep_repairs_total", "Attempts settled by a sweep, of which no webhook had told"
        )
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
        for histogram, seconds in (
            (self._queryable, fact.seconds_landed_to_queryable),
            (self._submitted, fact.seconds_event_to_submit),
            (self._started, fact.seconds_submit_to_start),
        ):
            if seconds is not None:
                histogram.labels(*line).observe(seconds)

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
            self._backlog_age.labels(*labels).set(max(0.0, (now - landed).total_seconds()))
        self._counted.set(now.timestamp())

    def lags(self, records: Mapping[str, int]) -> None:
        """Records that are not read yet, by topic."""
        for topic, count in records.items():
            self._lag.labels(topic).set(count)

    def held_up(self, runs: Mapping[tuple[Lane, str], int]) -> None:
        """All runs that do not begin, by lane and what Kubernetes says: what is not named is well."""
        self._held_up.clear()
        for labels, count in runs.items():
            self._held_up.labels(*labels).set(count)

    def exposition(self) -> bytes:
        """The text that Prometheus scrapes."""
        return generate_latest(self.registry)
