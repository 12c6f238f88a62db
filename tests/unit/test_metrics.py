"""Metrics: what happened is counted from facts, what stands is told when somebody asks."""

from datetime import UTC, datetime, timedelta

import pytest

from router.adapters.metrics import MAX_SOURCES, OTHERS, Backlog, Metrics
from router.step import Fact

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
SOURCE = "orders-v1"
ENDED = {"source": SOURCE, "lane": "default", "outcome": "loaded", "reason": None}

SPANS = {f"seconds_{span}": 1.5 for span in ("landed_to_queryable", "event_to_submit", "submit_to_start")}


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
    metrics = Metrics([SOURCE])

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
    metrics = Metrics([SOURCE])

    metrics.happened("settlement", Fact("batch_ended", {**ENDED, f"seconds_{span}": 1.5}))

    line = {"source": "orders-v1", "lane": "default"}
    assert value(metrics, f"autoloader_{name}_seconds_sum", **line) == 1.5
    assert value(metrics, f"autoloader_{name}_seconds_bucket", **line, le="2.0") == 1
    assert value(metrics, f"autoloader_{name}_seconds_bucket", **line, le="1.0") == 0


def test_the_backlog_is_told_by_line_and_forgotten_when_it_is_gone() -> None:
    metrics, line = Metrics([SOURCE]), {"source": "orders-v1", "lane": "default"}

    metrics.waits([Backlog("orders-v1", "default", 7, 700, NOW - timedelta(seconds=90))], NOW)
    waiting = [value(metrics, f"autoloader_backlog_{what}", **line) for what in ("files", "bytes", "oldest_seconds")]
    metrics.waits([], NOW)

    assert waiting == [7, 700, 90]
    assert value(metrics, "autoloader_backlog_files", **line) is None


def test_the_lag_is_told_by_topic() -> None:
    metrics = Metrics([SOURCE])

    metrics.lags({"ingestion.requests": 4})

    assert value(metrics, "autoloader_consumer_lag_records", topic="ingestion.requests") == 4


def test_sources_beyond_a_number_are_told_together() -> None:
    """Three thousand in two lanes were 26 MB, and a loop that stood still for four seconds."""
    sources = [f"source-{number}" for number in range(3000)]
    metrics = Metrics(sources)

    for lane in ("default", "priority"):
        for source in sources:
            metrics.happened("settlement", Fact("batch_ended", {**ENDED, "source": source, "lane": lane, **SPANS}))
    metrics.waits(
        [Backlog(source, "default", 2, 20, NOW - timedelta(seconds=n)) for n, source in enumerate(sources)], NOW
    )

    others = {"source": OTHERS, "lane": "default"}
    assert len(metrics.exposition()) < 4_000_000
    assert value(metrics, "autoloader_batches_ended_total", **others, outcome="loaded") == 3000 - MAX_SOURCES
    assert value(metrics, "autoloader_landed_to_queryable_seconds_count", **others) == 3000 - MAX_SOURCES
    assert value(metrics, "autoloader_backlog_files", **others) == 2 * (3000 - MAX_SOURCES)
    assert value(metrics, "autoloader_backlog_bytes", **others) == 20 * (3000 - MAX_SOURCES)
    assert value(metrics, "autoloader_backlog_oldest_seconds", **others) == 2999
    assert value(metrics, "autoloader_backlog_files", source="source-0", lane="default") == 2


def test_a_source_that_is_not_configured_any_more_is_one_of_the_others() -> None:
    metrics = Metrics([SOURCE])

    metrics.waits([Backlog("gone-v1", "default", 1, 1, NOW), Backlog("gone-v2", "default", 2, 2, NOW)], NOW)

    assert value(metrics, "autoloader_backlog_files", source=OTHERS, lane="default") == 3
    assert value(metrics, "autoloader_backlog_counted_timestamp_seconds") == NOW.timestamp()
