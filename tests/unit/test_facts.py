"""Facts: each has its line in the log, which people search and other programs read."""

from collections.abc import Mapping
from typing import get_args

import pytest
from structlog.testing import capture_logs

from router import facts
from router.adapters.clock import SystemClock
from router.adapters.metrics import Metrics
from router.driver import Progress
from router.facts import Fact, name_of
from router.step import Step

# As they were logged when facts became classes: what is changed here, somebody's search or alarm misses.
BATCH = {"source": "orders-v1", "batch": "b-1", "attempt": 1}
LINES: list[tuple[Fact, Mapping[str, object]]] = [
    (
        facts.EventsRecorded(7, records=9, new_files=4, to_measure=2),
        {"event": "events_recorded", "count": 7, "records": 9, "new_files": 4, "to_measure": 2},
    ),
    (facts.EventsUnmatched(3), {"event": "events_unmatched", "count": 3}),
    (
        facts.RecordsDeadLettered(2, "not-json"),
        {"event": "records_dead_lettered", "count": 2, "reason": "not-json"},
    ),
    (facts.RemovalsRecorded(2), {"event": "removals_recorded", "count": 2}),
    (facts.ArrivalsMeasured(3, 1), {"event": "arrivals_measured", "count": 3, "new_files": 1}),
    (facts.ObjectsNotThere(3, 1), {"event": "objects_not_there", "count": 3, "looked_at_again": 1}),
    (facts.FilesRemoved(2), {"event": "files_removed", "count": 2}),
    (
        facts.FilesNotConfigured(2, "orders-v1", "no match"),
        {"event": "files_not_configured", "count": 2, "source": "orders-v1", "reason": "no match"},
    ),
    (facts.MeasuringFailed(2, "away"), {"event": "measuring_failed", "count": 2, "trouble": "away"}),
    (facts.RequestsRecorded(2, 1), {"event": "requests_recorded", "count": 2, "new": 1}),
    (
        facts.RequestListed(1000, "r-1", "load"),
        {"event": "request_listed", "count": 1000, "request": "r-1", "kind": "load"},
    ),
    (facts.ListingFailed("r-1", "away"), {"event": "listing_failed", "count": 1, "request": "r-1", "trouble": "away"}),
    (
        facts.RequestEnded("r-1", "load", "rejected", "bad-request: no"),
        {"event": "request_ended", "count": 1, "request": "r-1", "kind": "load", "outcome": "rejected"}
        | {"reason": "bad-request: no"},
    ),
    (
        facts.RequestsGivenUp(2, "unknown-source"),
        {"event": "requests_given_up", "count": 2, "reason": "unknown-source"},
    ),
    (facts.LeaseTaken("scheduling", 2), {"event": "lease_taken", "count": 1, "role": "scheduling", "epoch": 2}),
    (
        facts.AttemptSubmitted("orders-v1", "b-1", 1, "run-1", "default"),
        {"event": "attempt_submitted", "count": 1, **BATCH, "run": "run-1", "lane": "default"},
    ),
    (
        facts.SubmissionFailed("orders-v1", "b-1", 1, "default", "away"),
        {"event": "submission_failed", "count": 1, **BATCH, "lane": "default", "trouble": "away"},
    ),
    (
        facts.AttemptFailed("b-1", 1, "again", "it crashed"),
        {"event": "attempt_failed", "count": 1, "batch": "b-1", "attempt": 1, "next": "again", "reason": "it crashed"},
    ),
    (
        facts.BatchEnded(
            "orders-v1", "b-1", 1, "default", "loaded", "why", 7, 6, 60, "run-1", 1.5, 2.5, 3.5, 4.5, "4bf9"
        ),
        {"event": "batch_ended", "count": 1, **BATCH, "lane": "default", "outcome": "loaded", "reason": "why"}
        | {"files": 7, "files_loaded": 6, "rows": 60, "run": "run-1", "seconds_event_to_submit": 1.5}
        | {"seconds_submit_to_start": 2.5, "seconds_load": 3.5, "seconds_landed_to_queryable": 4.5, "traces": "4bf9"},
    ),
    (
        facts.RunNotCancelled("run-1", "away"),
        {"event": "run_not_cancelled", "count": 1, "run": "run-1", "trouble": "away"},
    ),
    (facts.SweepRepaired(2), {"event": "sweep_repaired", "count": 2}),
    (
        facts.BreakerOpened("Spark Connect", 15.0, "refused"),
        {"event": "breaker_opened", "count": 1, "target": "Spark Connect", "pause_seconds": 15.0, "reason": "refused"},
    ),
    (facts.BreakerClosed("Spark Connect"), {"event": "breaker_closed", "count": 1, "target": "Spark Connect"}),
    (facts.EventsPublished(2), {"event": "events_published", "count": 2}),
    (facts.EventsShortened(2), {"event": "events_shortened", "count": 2}),
    (
        facts.EventSetAside("completions", "b-1/1/loaded", "too large"),
        {"event": "event_set_aside", "count": 1, "topic": "completions", "event_id": "b-1/1/loaded"}
        | {"reason": "too large"},
    ),
]


def test_every_fact_has_a_line_here() -> None:
    assert {type(fact) for fact, _ in LINES} == set(get_args(Fact))


@pytest.mark.parametrize(("fact", "line"), LINES, ids=[name_of(type(fact)) for fact, _ in LINES])
def test_a_fact_is_logged_under_its_name_with_its_keys_and_counted(fact: Fact, line: Mapping[str, object]) -> None:
    metrics = Metrics([])
    progress = Progress(["a-stage"], metrics, SystemClock())

    with capture_logs() as logged:
        progress.stepped("a-stage", Step((fact,)), 0.1)

    labels = {"stage": "a-stage", "fact": str(line["event"])}
    assert logged[-1] == {**line, "stage": "a-stage", "log_level": "info"}
    assert metrics.registry.get_sample_value("autoloader_facts_total", labels) == line["count"]
