"""Prometheus metrics: every name with its meaning. They are counted from the facts of the steps, nowhere else."""

from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from router.step import Fact

STEP_SECONDS = (0.005, 0.02, 0.1, 0.5, 1, 5, 30)


class Metrics:
    """A registry of our own, so that a process may hold several routers."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._facts = Counter(
            "autoloader_facts_total",
            "Things that happened, by stage and kind: the events of the log, counted",
            ["stage", "fact"],
            registry=self.registry,
        )
        self._dead_letters = Counter(
            "autoloader_dead_letters_total", "Records that could not be used", ["reason"], registry=self.registry
        )
        self._batches = Counter(
            "autoloader_batches_ended_total", "Batches that ended, by outcome", ["outcome"], registry=self.registry
        )
        self._steps = Histogram(
            "autoloader_step_seconds",
            "How long a step of a stage took",
            ["stage"],
            registry=self.registry,
            buckets=STEP_SECONDS,
        )
        self._trouble = Gauge(
            "autoloader_stage_in_trouble",
            "1 while what a stage depends on does not answer",
            ["stage"],
            registry=self.registry,
        )
        self._progress = Gauge(
            "autoloader_stage_progress_timestamp_seconds",
            "When a stage last came to the end of a step, in seconds since 1970",
            ["stage"],
            registry=self.registry,
        )

    def stepped(self, stage: str, seconds: float, now: datetime, *, in_trouble: bool) -> None:
        """A step came to its end."""
        self._steps.labels(stage).observe(seconds)
        self._progress.labels(stage).set(now.timestamp())
        self._trouble.labels(stage).set(in_trouble)

    def happened(self, stage: str, fact: Fact) -> None:
        """A fact of a step."""
        self._facts.labels(stage, fact.name).inc(fact.count)
        if fact.name == "records_dead_lettered":
            self._dead_letters.labels(fact.keys["reason"]).inc(fact.count)
        if fact.name == "batch_ended":
            self._batches.labels(fact.keys["outcome"]).inc(fact.count)

    def exposition(self) -> bytes:
        """The text that Prometheus scrapes."""
        return generate_latest(self.registry)
