"""What the dashboards show of a stack that loads and fails, beside what its ledger says of the same time."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import pytest

from cli.exits import Exit
from tests.boards import Query, queries
from tests.e2e.site import PROJECT, Site, autoloader, csv, eventually, free_port
from tests.servers.prometheus import HAS_PROMETHEUS, Prometheus, scraping

pytestmark = [pytest.mark.integration, HAS_PROMETHEUS]

TABLE = PROJECT / ".autoloader" / "panels.md"  # for people: every panel's value beside the ledger's
SINCE_IT_BEGAN = "15m"  # Prometheus has seen nothing before
QUERIES = list(queries())

WAITING = "SELECT count(*) FROM file WHERE batch_id IS NULL AND outcome IS NULL"
IN_FLIGHT = "SELECT coalesce(sum(files), 0)::int FROM batch WHERE ended IS NULL"
TO_MEASURE = "SELECT count(*) FROM arrival WHERE NOT quiet"
ENDED = "FROM file f JOIN batch b ON b.id = f.batch_id WHERE b.ended > %(begun)s"
TAKEN = "SELECT count(*)::float / {slots} FROM attempt WHERE ended IS NULL AND lane = '{lane}'"
OF_LANE = f"{WAITING} AND lane = '{{lane}}'"
IN_LANES: Mapping[tuple[str, str], str] = {
    key: sql
    for lane, slots in (("default", 2), ("high-memory", 1), ("priority", 1))
    for key, sql in (
        (("lanes", f"{lane}: slots taken"), TAKEN.format(lane=lane, slots=slots)),
        (("lanes", f"{lane}: files that wait"), OF_LANE.format(lane=lane)),
    )
}
# What need not happen here is shown by tests/integration/test_dashboards.py.
NOT_HERE = {
    "lanes / Held up by Kubernetes / {{lane}}: {{diagnosis}}",
    "router / Requests answered, by outcome / {{kind}} {{outcome}}",
    "router / What goes wrong, in five minutes / {{fact}}",
}
# What the ledger says of a panel's number.
LEDGER: Mapping[tuple[str, str], str] = {
    ("overview", "Is everything in?"): f"SELECT ({WAITING}) + ({IN_FLIGHT}) + ({TO_MEASURE})",
    ("overview", "Files that wait"): WAITING,
    ("overview", "Files in flight"): IN_FLIGHT,
    ("overview", "Files loaded"): f"SELECT count(*) {ENDED} AND f.outcome = 'loaded'",
    ("overview", "Files not loaded"): f"SELECT count(*) {ENDED} AND f.outcome <> 'loaded'",
    ("overview", "Rows loaded"): f"SELECT coalesce(sum(f.rows), 0)::int {ENDED}",
    ("overview", "Batches failed"): "SELECT count(*) FROM batch WHERE ended > %(begun)s AND outcome = 'failed'",
    ("source", "Files that wait"): WAITING,
    ("source", "Their bytes"): WAITING.replace("count(*)", "coalesce(sum(size), 0)::int"),
    ("source", "Files in flight"): IN_FLIGHT,
    ("source", "Files to measure"): TO_MEASURE,
    ("source", "Paused"): "SELECT count(*) FROM source_state WHERE paused IS NOT NULL",
    ("source", "Files loaded"): f"SELECT count(*) {ENDED} AND f.outcome = 'loaded'",
    ("source", "Files not loaded"): f"SELECT count(*) {ENDED} AND f.outcome <> 'loaded'",
    ("source", "Rows loaded"): f"SELECT coalesce(sum(f.rows), 0)::int {ENDED}",
    ("source", "Batches"): "SELECT count(*) FROM batch WHERE ended > %(begun)s",
    ("router", "Leases held"): "SELECT count(*) FROM lease WHERE expires > now()",
    ("router", "Events not published"): "SELECT count(*) FROM outbox",
    **IN_LANES,
}


@dataclass(frozen=True, slots=True)
class Seen:
    """A Prometheus that saw the router since `begun`, and the ledger of the same time."""

    site: Site
    prometheus: Prometheus
    begun: datetime

    def shown(self, query: Query, source: str = ".*") -> Sequence[tuple[str, float]]:
        """What a query shows: each series by its labels."""
        found = self.prometheus.ask(query.asked(source=source, over=SINCE_IT_BEGAN))
        return [(" ".join(labels.values()), value) for labels, value in found]

    def ledger(self, sql: str) -> float:
        """One number of the ledger."""
        [[value]] = [row.values() for row in self.site.ledger(sql.replace("%(begun)s", f"'{self.begun.isoformat()}'"))]
        return float(value)

    def table(self, panels: Mapping[Query, Sequence[tuple[str, float]]]) -> Iterator[str]:
        """What these show beside what the ledger says, as Markdown."""
        yield "| panel | shown | the ledger |\n|---|---|---|\n"
        for query, shown in panels.items():
            sql = LEDGER.get((query.board, query.panel))
            values = ", ".join(f"{labels}: {value:.4g}" if labels else f"{value:.4g}" for labels, value in shown)
            yield f"| {query} | {values or 'nothing'} | {'' if sql is None else f'{self.ledger(sql):g}'} |\n"


@pytest.fixture(scope="module")
def seen(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    """Files of all formats are loaded, one is broken, one fails, two are held, a record is no JSON."""
    letters = len(site.dead_letters())
    router = f"127.0.0.1:{site.settings['AUTOLOADER_HTTP_PORT']}"
    with scraping([router], tmp_path_factory.mktemp("prometheus"), free_port()) as prometheus:
        [begun] = [row["now"] for row in site.ledger("SELECT now()")]
        autoloader(site, "pause", "held")
        loads = [site.write("orders", f"seen-{n}.csv", csv(50, order_id=n, amount="9.50")) for n in range(3)]
        loads.append(site.write("visits", "seen.json", '{"page": 1}\n' * 70))
        broken = site.write("parts", "seen.parquet", "no parquet")
        fails = site.write("unwritable", "seen.csv", csv(1, order_id=1, amount=1))
        held = [site.write("held", f"seen-{n}.csv", csv(1, order_id=n, amount=1)) for n in range(2)]
        site.announce(*loads, broken, fails, *held)
        site.send([b"no JSON"])
        for uri in (*loads, broken, fails):
            site.completion(uri)
        eventually(lambda: len(site.dead_letters()) > letters, "the dead letter")
        eventually(lambda: _at_rest(site), "nothing in flight, all is published")
        looked_at(site, prometheus)
        yield Seen(site, prometheus, begun)
        autoloader(site, "resume", "held")
        for uri in held:
            site.completion(uri)


def looked_at(site: Site, prometheus: Prometheus) -> None:
    """Wait until the router has looked at the ledger from now on, and was scraped since."""
    [now] = [row["now"].timestamp() for row in site.ledger("SELECT now()")]
    since = f"autoloader_backlog_counted_timestamp_seconds > {now}"
    eventually(lambda: prometheus.ask(since), "the router has looked at the ledger since, and was scraped")
    eventually(prometheus.guesses_little, "ten seconds, to guess less beside them")


def _at_rest(site: Site) -> bool:
    open_attempts, unpublished = "SELECT FROM attempt WHERE ended IS NULL", "SELECT FROM outbox"
    return not site.ledger(open_attempts) and not site.ledger(unpublished)


@pytest.mark.parametrize(("board", "panel"), LEDGER)
def test_a_number_is_the_ledgers(seen: Seen, board: str, panel: str) -> None:
    """But for what Prometheus guesses between its last scrape and now."""
    [query] = [query for query in QUERIES if (query.board, query.panel) == (board, panel)]

    [(_, value)] = seen.shown(query)

    assert value == pytest.approx(seen.ledger(LEDGER[board, panel]), rel=0.05, abs=0.05)


@pytest.mark.parametrize(("panel", "expected"), [("Files loaded", 3), ("Rows loaded", 150), ("Files that wait", 0)])
def test_a_source_is_shown_alone(seen: Seen, panel: str, expected: int) -> None:
    [query] = [query for query in QUERIES if (query.board, query.panel) == ("source", panel)]

    [(_, value)] = seen.shown(query, source="orders-v1")

    assert value == pytest.approx(expected, rel=0.05)


def test_a_dot_on_the_graph_leads_to_the_run_of_its_batch_and_to_explain(seen: Seen) -> None:
    ran = {(row["batch_id"], str(row["run_id"])) for row in seen.site.ledger("SELECT batch_id, run_id FROM attempt")}

    found = seen.prometheus.examples("autoloader_landed_to_queryable_seconds_bucket")

    assert found
    assert {(example["batch"], example["run"]) for example in found} <= ran
    outcomes = {row["id"]: row["outcome"] for row in seen.site.ledger("SELECT id, outcome FROM batch")}
    explained = autoloader(seen.site, "explain", batch := found[0]["batch"])
    assert explained.stdout.startswith(batch)
    assert explained.returncode == (Exit.DONE if outcomes[batch] == "loaded" else Exit.NEEDS_A_PERSON)


def test_every_panel_is_answered(seen: Seen) -> None:
    panels = {query: seen.shown(query) for query in QUERIES}

    TABLE.write_text("".join(seen.table(panels)))

    assert {str(query) for query, shown in panels.items() if not shown} <= NOT_HERE
