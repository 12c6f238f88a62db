"""The same small file in a lane of process workers and in one of Kubernetes: what a Job of its own costs.

The seconds are told by `python -m tests.kubernetes.lab -k either_lane --log-cli-level=INFO`.
"""

import logging
from datetime import datetime
from statistics import median
from uuid import uuid4

import pytest

from tests.e2e.site import csv
from tests.kubernetes.site import ClusterSite

pytestmark = [pytest.mark.integration, pytest.mark.node]

log = logging.getLogger(__name__)

SOURCES = {"orders": "default, a warm worker", "small-jobs": "high-memory, a Job of its own"}
TIMES, ROWS = 4, 3  # the first is in neither figure: it makes the table


def spans(site: ClusterSite, source: str) -> tuple[float, ...]:
    """Seconds from a run's submission until it is Running, until it works, until its rows can be read."""
    uri = site.write(source, f"{uuid4().hex[:6]}.csv", csv(ROWS, a=1, b="x"))
    site.announce(uri)
    ended = site.ended(uri)
    assert (ended.outcome, ended.event["counts"]["rows"]) == ("loaded", ROWS)
    [attempt] = ended.attempts
    rows = datetime.fromisoformat(ended.event["snapshot"]["committed_at"])
    moments = (site.running_since(attempt["run_id"]), attempt["claimed"], rows)
    return tuple((moment - attempt["submitted"]).total_seconds() for moment in moments)


def test_a_small_file_is_loaded_in_either_lane_and_sooner_by_a_warm_worker(site: ClusterSite) -> None:
    seconds = {source: [spans(site, source) for _ in range(TIMES)][1:] for source in SOURCES}

    middle = {source: [median(column) for column in zip(*runs, strict=True)] for source, runs in seconds.items()}
    for source, (running, works, rows) in middle.items():
        log.info("%s: Running after %.1f s, works after %.1f, rows after %.1f", SOURCES[source], running, works, rows)
    assert middle["orders"][-1] < middle["small-jobs"][-1]
