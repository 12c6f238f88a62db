"""Every query of the dashboards, asked of a real Prometheus that scrapes two routers' worth of metrics.

What a small stack does not show (lost webhooks, leases that change hands, what Kubernetes says) happens here to both.
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from router.adapters.metrics import Backlog, Metrics
from router.facts import BatchEnded, LeaseTaken, RecordsDeadLettered, SweepRepaired
from schemas.config.lanes import LANES
from tests.boards import Query, queries
from tests.builders import ORDERS, config, standing
from tests.e2e.site import eventually, free_port
from tests.servers.prometheus import HAS_PROMETHEUS, Prometheus, scraping
from tests.unit.test_facts import LINES

pytestmark = [pytest.mark.integration, HAS_PROMETHEUS]

QUERIES = list(queries())
EVERY_QUERY = pytest.mark.parametrize("query", QUERIES, ids=str)
ENDED = BatchEnded(ORDERS, "b-1", 1, "default", "partly-loaded", None, 5, 4, 40, "run-1", 0.4, 0.4, 0.4, 8.0)
FAILED = BatchEnded(ORDERS, "b-2", 1, "default", "failed", "why", 1, 0, 0)


@contextmanager
def telling(metrics: Metrics) -> Iterator[str]:
    """Serve a router's metrics; its `host:port`."""

    class Telling(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            with suppress(ConnectionError):
                self.wfile.write(metrics.exposition())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's own name
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Telling) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def stands(metrics: Metrics, role: str, lag: int) -> None:
    """What a router tells that holds the lease of a role, and has read all but some records; the ledger is one."""
    now = datetime.now(UTC)
    landed = now - timedelta(minutes=20)
    metrics.configured(config())
    metrics.slots(dict.fromkeys(LANES, 2))
    metrics.waits([Backlog(ORDERS, "default", 7, 700, landed), Backlog("audit-v1", "priority", 1, 10, now)], now)
    metrics.stands(
        standing(
            in_flight={"default": 2},
            in_flight_files={ORDERS: 5},
            to_measure_files={ORDERS: 3},
            paused=["audit-v1"],
            roles=[role],
            outbox_events=4,
            outbox_since=landed,
            connections=30,
        ),
        now,
    )
    metrics.lags({"ingestion.file-arrivals": lag})
    metrics.behind({"ingestion.file-arrivals": now - timedelta(hours=lag)}, ["ingestion.file-arrivals"], now)
    metrics.held_up({("high-memory", "Unschedulable"): 2})
    metrics.stepped("intake", 0.01, now, in_trouble=False)
    metrics.stepped("publication", 0.01, now, in_trouble=role == "publication")


def happens(metrics: Metrics) -> None:
    """Of everything once; and of some more than that."""
    for fact, _ in LINES:
        metrics.happened("settlement", fact)
    for fact in (ENDED, FAILED, SweepRepaired(3), LeaseTaken("scheduling", 2), RecordsDeadLettered(2, "not-json")):
        metrics.happened("settlement", fact)


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """One that has seen both routers before and after it happened."""
    a, b = (Metrics(source.id for source in config().sources.values()) for _ in range(2))
    stands(a, "scheduling", 3)
    stands(b, "publication", 4)
    folder: Path = tmp_path_factory.mktemp("prometheus")
    with telling(a) as one, telling(b) as two, scraping([one, two], folder, free_port()) as prometheus:
        happened = 'count_over_time(autoloader_facts_total{fact="batch_ended"}[1m]) > 2'
        for metrics in (a, b):
            happens(metrics)
        eventually(lambda: len(prometheus.ask(happened)) == 2, "three scrapes of both routers")
        happens(a)
        eventually(lambda: prometheus.ask("sum(autoloader_sweep_repairs_total) == 15"), "what happened last")
        eventually(prometheus.guesses_little, "ten seconds, to guess less beside them")
        yield prometheus


@EVERY_QUERY
def test_a_panel_shows_what_the_routers_tell(prometheus: Prometheus, query: Query) -> None:
    assert [value for _, value in prometheus.ask(query.asked())] != []


@EVERY_QUERY
def test_a_panel_shows_nothing_when_no_router_tells(prometheus: Prometheus, query: Query) -> None:
    """It would say that everything is in."""
    assert prometheus.ask(query.asked(job="nobody")) == []


def shown(prometheus: Prometheus, board: str, panel: str) -> Mapping[tuple[str, ...], int]:
    """The values of a panel's first query by their labels; what Prometheus guesses between scrapes is rounded off."""
    first = next(query for query in QUERIES if (query.board, query.panel) == (board, panel))
    return {
        tuple(labels[name] for name in sorted(labels)): round(value) for labels, value in prometheus.ask(first.asked())
    }


@pytest.mark.parametrize(
    ("board", "panel", "expected"),
    [
        ("overview", "Is everything in?", {(): 3 + 4 + 3 + 8 + 5}),
        ("overview", "Files that wait", {(): 8}),
        ("overview", "Files in flight", {(): 5}),
        ("overview", "Sources over their objective", {(): 1}),
        ("overview", "Files that wait, by lane", {("default",): 7, ("priority",): 1}),
        ("source", "Files that wait", {(): 8}),
        ("source", "Paused", {(): 1}),
        ("router", "Routers", {(): 2}),
        ("router", "Records not read", {(): 7}),
        ("router", "Age of the first record not taken in", {("ingestion.file-arrivals",): 4 * 3600}),
        ("router", "Leases held", {(): 2}),
        ("router", "Events not published", {(): 4}),
        ("router", "Stages in trouble", {(): 1}),
        ("lanes", "Held up by Kubernetes", {("Unschedulable", "high-memory"): 2}),
        ("lanes", "default: slots taken", {("default",): 1}),
        ("lanes", "priority: files that wait", {(): 1}),
    ],
)
def test_what_stands_is_counted_once_however_many_routers_tell_it(
    prometheus: Prometheus, board: str, panel: str, expected: Mapping[tuple[str, ...], int]
) -> None:
    assert shown(prometheus, board, panel) == expected


@pytest.mark.parametrize(
    ("board", "panel", "labels", "expected"),
    [
        ("overview", "Files loaded", (), 3 * (4 + 6)),
        ("overview", "Files not loaded", (), 3 * (1 + 1 + 1)),
        ("overview", "Rows loaded", (), 3 * (40 + 60)),
        ("overview", "Batches failed", (), 3),
        ("overview", "Dead letters", (), 3 * (2 + 2)),
        ("router", "Attempts that a sweep settled", (), 3 * (2 + 3)),
        ("router", "Leases that changed hands", ("scheduling",), 3 * 2),
    ],
)
def test_what_each_router_did_is_added_up(
    prometheus: Prometheus, board: str, panel: str, labels: tuple[str, ...], expected: int
) -> None:
    assert shown(prometheus, board, panel)[labels] == pytest.approx(expected, rel=0.05)
