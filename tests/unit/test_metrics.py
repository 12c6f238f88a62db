"""Metrics: what happened is counted from facts, what stands is told when somebody asks."""

from datetime import UTC, datetime, timedelta

import pytest

from router.adapters.metrics import Backlog, Metrics
from router.step import Fact

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
ENDED = {"source": "orders-v1", "lane": "default", "outcome": "loaded", "reason": None}


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


@pytest.mark.parametrize(
    ("fact", "name", "labels", "expected"),
    [
        (Fact("events_recorded", {"records": 9, "new_files": 4, "to_measure": 2}, 7), "records", {"outcome": "new"}, 4),
        (
            Fact("events_recorded", {"records": 9, "new_files": 4, "to_measure": 2}, 7),
            "records",
            {"outcome": "to-measure"},
            2,
        ),
        (
            Fact("events_recorded", {"records": 9, "new_files": 4, "to_measure": 2}, 7),
            "records",
            {"outcome": "known"},
            1,
        ),
        (Fact("events_unmatched", count=3), "records", {"outcome": "unmatched"}, 3),
        (Fact("files_removed", count=2), "records", {"outcome": "removed"}, 2),
        (Fact("records_dead_lettered", {"reason": "not-json"}, 2), "records", {"outcome": "dead-lettered"}, 2),
        (Fact("records_dead_lettered", {"reason": "not-json"}, 2), "dead_letters", {"reason": "not-json"}, 2),
        (
            Fact("batch_ended", ENDED),
            "batches_ended",
            {"source": "orders-v1", "lane": "default", "outcome": "loaded"},
            1,
        ),
        (
            Fact("request_ended", {"kind": "load", "outcome": "rejected"}),
            "requests_ended",
            {"kind": "load", "outcome": "rejected"},
            1,
        ),
        (Fact("attempt_failed", {"next": "again"}), "attempts_failed", {"next": "again"}, 1),
        (Fact("sweep_repaired", count=5), "sweep_repairs", {}, 5),
        (Fact("lease_taken", {"role": "scheduling", "epoch": 2}), "lease_changes", {"role": "scheduling"}, 1),
    ],
)
def test_a_fact_is_counted(fact: Fact, name: str, labels: dict[str, str], expected: float) -> None:
    metrics = Metrics()

    metrics.happened("a-stage", fact)

    assert value(metrics, f"autoloader_{name}_total", **labels) == expected
    assert value(metrics, "autoloader_facts_total", stage="a-stage", fact=fact.name) == fact.count


@pytest.mark.parametrize(
    ("span", "name"),
    [
        ("landed_to_queryable", "landed_to_queryable"),
        ("event_to_submit", "event_to_submitted"),
        ("submit_to_start", "submitted_to_started"),
    ],
)
def test_the_spans_of_a_batch_are_observed_by_source_and_lane(span: str, name: str) -> None:
    metrics = Metrics()

    metrics.happened("settlement", Fact("batch_ended", {**ENDED, f"seconds_{span}": 1.5}))

    line = {"source": "orders-v1", "lane": "default"}
    assert value(metrics, f"autoloader_{name}_seconds_sum", **line) == 1.5
    assert value(metrics, f"autoloader_{name}_seconds_bucket", **line, le="2.0") == 1
    assert value(metrics, f"autoloader_{name}_seconds_bucket", **line, le="1.0") == 0


def test_the_backlog_is_told_by_line_and_forgotten_when_it_is_gone() -> None:
    metrics, line = Metrics(), {"source": "orders-v1", "lane": "default"}

    metrics.waits([Backlog("orders-v1", "default", 7, 700, NOW - timedelta(seconds=90))], NOW)
    waiting = [value(metrics, f"autoloader_backlog_{what}", **line) for what in ("files", "bytes", "oldest_seconds")]
    metrics.waits([], NOW)

    assert waiting == [7, 700, 90]
    assert value(metrics, "autoloader_backlog_files", **line) is None


def test_the_lag_is_told_by_topic() -> None:
    metrics = Metrics()

    metrics.lags({"ingestion.requests": 4})

    assert value(metrics, "autoloader_consumer_lag_records", topic="ingestion.requests") == 4
