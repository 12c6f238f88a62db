"""Metrics: what happened is counted from facts, what stands is told when somebody asks."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from router.adapters.metrics import MAX_SOURCES, OTHERS, ROLES, Backlog, Metrics
from router.facts import (
    AttemptFailed,
    BatchEnded,
    EventsRecorded,
    EventsUnmatched,
    Fact,
    FilesRemoved,
    LeaseTaken,
    RecordsDeadLettered,
    RequestEnded,
    SweepRepaired,
    count_of,
    name_of,
)
from router.stages import publication, scheduling
from tests.builders import CONFIG_TEXT, config, standing

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
SOURCE = "orders-v1"
ENDED = BatchEnded(SOURCE, "b-1", 1, "default", "loaded", None, files=7, files_loaded=6, rows=60)
WITH_SPANS = replace(ENDED, seconds_landed_to_queryable=1.5, seconds_event_to_submit=1.5, seconds_submit_to_start=1.5)


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


@pytest.mark.parametrize(
    ("fact", "name", "labels", "expected"),
    [
        (EventsRecorded(7, records=9, new_files=4, to_measure=2), "records", {"outcome": "new"}, 4),
        (
            EventsRecorded(7, records=9, new_files=4, to_measure=2),
            "records",
            {"outcome": "to-measure"},
            2,
        ),
        (
            EventsRecorded(7, records=9, new_files=4, to_measure=2),
            "records",
            {"outcome": "known"},
            1,
        ),
        (EventsUnmatched(3), "records", {"outcome": "unmatched"}, 3),
        (FilesRemoved(2), "records", {"outcome": "removed"}, 2),
        (RecordsDeadLettered(2, "not-json"), "records", {"outcome": "dead-lettered"}, 2),
        (RecordsDeadLettered(2, "not-json"), "dead_letters", {"reason": "not-json"}, 2),
        (
            ENDED,
            "batches_ended",
            {"source": "orders-v1", "lane": "default", "outcome": "loaded"},
            1,
        ),
        (ENDED, "files_ended", {"source": "orders-v1", "outcome": "loaded"}, 6),
        (ENDED, "files_ended", {"source": "orders-v1", "outcome": "not-loaded"}, 1),
        (ENDED, "rows_loaded", {"source": "orders-v1"}, 60),
        (
            RequestEnded("r-1", "load", "rejected", None),
            "requests_ended",
            {"kind": "load", "outcome": "rejected"},
            1,
        ),
        (AttemptFailed("b-1", 1, "again", "it crashed"), "attempts_failed", {"next": "again"}, 1),
        (SweepRepaired(5), "sweep_repairs", {}, 5),
        (LeaseTaken("scheduling", epoch=2), "lease_changes", {"role": "scheduling"}, 1),
    ],
)
def test_a_fact_is_counted(fact: Fact, name: str, labels: dict[str, str], expected: float) -> None:
    metrics = Metrics([SOURCE])

    metrics.happened("a-stage", fact)

    assert value(metrics, f"autoloader_{name}_total", **labels) == expected
    assert value(metrics, "autoloader_facts_total", stage="a-stage", fact=name_of(type(fact))) == count_of(fact)


@pytest.mark.parametrize(
    ("told", "name"),
    [
        (replace(ENDED, seconds_landed_to_queryable=1.5), "landed_to_queryable"),
        (replace(ENDED, seconds_event_to_submit=1.5), "event_to_submitted"),
        (replace(ENDED, seconds_submit_to_start=1.5), "submitted_to_started"),
    ],
)
def test_the_spans_of_a_batch_are_observed_by_source_and_lane(told: BatchEnded, name: str) -> None:
    metrics = Metrics([SOURCE])

    metrics.happened("settlement", told)

    line = {"source": "orders-v1", "lane": "default"}
    assert value(metrics, f"autoloader_{name}_seconds_sum", **line) == 1.5
    assert value(metrics, f"autoloader_{name}_seconds_bucket", **line, le="2.0") == 1
    assert value(metrics, f"autoloader_{name}_seconds_bucket", **line, le="1.0") == 0


def test_a_bucket_has_a_batch_and_its_run_as_an_example() -> None:
    metrics = Metrics([SOURCE])

    metrics.happened("settlement", replace(ENDED, run="6f2c", seconds_landed_to_queryable=1.5))

    assert b'# {batch="b-1",run="6f2c"} 1.5' in metrics.exposition(with_examples=True)
    assert b"b-1" not in metrics.exposition()


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


def test_the_age_of_what_is_not_taken_in_is_told_by_topic_and_forgotten_when_it_is() -> None:
    metrics, topic = Metrics([SOURCE]), "ingestion.requests"

    metrics.behind({topic: NOW - timedelta(hours=1)}, [topic], NOW)
    behind = value(metrics, "autoloader_consumer_behind_seconds", topic=topic)
    metrics.behind({}, [topic], NOW)

    assert behind == 3600
    assert value(metrics, "autoloader_consumer_behind_seconds", topic=topic) == 0


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("records", {"outcome": "new"}),
        ("dead_letters", {"reason": "not-json"}),
        ("attempts_failed", {"next": "void"}),
        ("lease_changes", {"role": "publication"}),
        ("batches_ended", {"source": SOURCE, "lane": "high-memory", "outcome": "split"}),
        ("files_ended", {"source": SOURCE, "outcome": "not-loaded"}),
        ("rows_loaded", {"source": SOURCE}),
    ],
)
def test_a_counter_begins_at_zero(name: str, labels: dict[str, str]) -> None:
    """Prometheus sees no increase in a series that it first meets at 1."""
    assert value(Metrics([SOURCE]), f"autoloader_{name}_total", **labels) == 0


def test_what_is_configured_is_told_beside_what_is_compared_with_it() -> None:
    metrics = Metrics([SOURCE, "audit-v1"])

    metrics.configured(config(CONFIG_TEXT.replace("batch:", "objective: 2m\n    batch:")))

    assert value(metrics, "autoloader_objective_seconds", source=SOURCE) == 120
    assert value(metrics, "autoloader_objective_seconds", source="audit-v1") == 900


def test_slots_that_are_not_known_any_more_are_not_told() -> None:
    metrics = Metrics([])

    metrics.slots({"default": 6, "priority": 2})
    told = value(metrics, "autoloader_lane_slots", lane="default")
    metrics.slots({"priority": 2})

    assert told == 6
    assert value(metrics, "autoloader_lane_slots", lane="default") is None


def test_the_span_of_a_sources_usual_line_begins_at_zero() -> None:
    """So that its first batch is seen in a quantile."""
    metrics = Metrics([SOURCE, "audit-v1"])

    metrics.configured(config(CONFIG_TEXT.replace("batch:", "lane: {pin: priority}\n    batch:")))

    spans = "autoloader_landed_to_queryable_seconds_count"
    assert value(metrics, spans, source=SOURCE, lane="priority") == 0
    assert value(metrics, spans, source="audit-v1", lane="default") == 0
    assert value(metrics, spans, source=SOURCE, lane="default") is None


def test_what_stands_is_told_and_what_stands_no_more_is_forgotten() -> None:
    metrics, source = Metrics([SOURCE]), {"source": SOURCE}
    told = ("in_flight_files", "to_measure_files", "source_paused")

    metrics.stands(
        standing(
            in_flight={"default": 2},
            in_flight_files={SOURCE: 7, "gone-v1": 1, "gone-v2": 2},
            to_measure_files={SOURCE: 3},
            paused=[SOURCE],
            roles=["scheduling"],
            outbox_events=4,
            outbox_since=NOW - timedelta(seconds=30),
        ),
        NOW,
    )
    stood = [value(metrics, f"autoloader_{name}", **source) for name in told]
    others = value(metrics, "autoloader_in_flight_files", source=OTHERS)
    held = [value(metrics, "autoloader_lease_held", role=role) for role in ("scheduling", "publication")]
    outbox = [value(metrics, f"autoloader_outbox_{what}") for what in ("events", "oldest_seconds")]
    in_flight = [value(metrics, "autoloader_lane_in_flight", lane=lane) for lane in ("default", "priority")]
    metrics.stands(standing(), NOW)

    assert (stood, others, held, outbox, in_flight) == ([7, 3, 1], 3, [1, 0], [4, 30], [2, 0])
    assert [value(metrics, f"autoloader_{name}", **source) for name in told] == [None, None, None]
    assert value(metrics, "autoloader_lane_in_flight", lane="default") == 0
    assert value(metrics, "autoloader_outbox_oldest_seconds") == 0
    assert value(metrics, "autoloader_ledger_connections") == 1
    assert value(metrics, "autoloader_ledger_connections_limit") == 100


def test_sources_beyond_a_number_are_told_together() -> None:
    """Three thousand in two lanes were 26 MB, and a loop that stood still for four seconds."""
    sources = [f"source-{number}" for number in range(3000)]
    metrics = Metrics(sources)

    for lane in ("default", "priority"):
        for source in sources:
            metrics.happened("settlement", replace(WITH_SPANS, source=source, lane=lane))
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


def test_the_roles_are_those_of_the_stages() -> None:
    assert {*ROLES} == {scheduling.ROLE, publication.ROLE}
