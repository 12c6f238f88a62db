"""The first look: is everything in, how long does it take, and what failed."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from monitoring.boards import ASK, Row, board
from monitoring.lanes import taken
from monitoring.panels import ANY_IS_WRONG, RUNS, RUNS_OF_SOURCE, SOURCE_HERE, Limits, Lines, Number, Words
from monitoring.queries import age, increase, lately, owned, quantile, rate, standing, total, zero

QUERYABLE = "autoloader_landed_to_queryable_seconds"
WAITING = total("autoloader_backlog_files", "source", "lane")
IN_FLIGHT = total("autoloader_in_flight_files", "source")
TO_MEASURE = total("autoloader_to_measure_files", "source")
UNREAD = f"({owned('autoloader_consumer_lag_records')} or {zero()})"
OLDEST = (
    f"({standing('autoloader_backlog_oldest_seconds', 'source')} unless on (source) "
    f"{standing('autoloader_source_paused', 'source')} > 0)"
)

NOW: Row = (
    "Now",
    [
        Number(
            "Is everything in?",
            "Records not read, files to measure, files that wait and files in flight, together: 0 when all that was "
            "announced has ended. Counts are made every five seconds at most.",
            f"{UNREAD} + {TO_MEASURE} + {WAITING} + {IN_FLIGHT}",
            words={"0": "everything is in"},
            width=6,
        ),
        Number("Files that wait", "In all lines.", WAITING, links=[RUNS]),
        Number("Files in flight", "In batches that have not ended.", IN_FLIGHT, links=[RUNS]),
        Number(
            "Oldest that waits",
            "How long ago the first in line landed, of all sources that are not paused.",
            f"max({OLDEST}) or {zero()}",
            unit="s",
            limits=Limits(warn=300, alarm=900),
        ),
        Number(
            "Sources over their objective",
            "The first in their line landed longer ago than their `objective`.",
            f"count({OLDEST} > on (source) {standing('autoloader_objective_seconds', 'source')}) or {zero()}",
            limits=ANY_IS_WRONG,
            width=3,
        ),
        Number(
            "Ledger last looked at",
            "How old these numbers are: it grows while the ledger does not answer.",
            age("autoloader_backlog_counted_timestamp_seconds"),
            unit="s",
            limits=Limits(warn=60, alarm=300),
            width=3,
        ),
    ],
)
SHOWN: Row = (
    "In the time that is shown",
    [
        Number(
            "Files loaded",
            "Their rows are in the tables.",
            increase("autoloader_files_ended_total", where='outcome="loaded"'),
            is_of_shown_time=True,
        ),
        Number(
            "Files not loaded",
            "Of batches that ended: quarantined, missing, superseded or failed.",
            increase("autoloader_files_ended_total", where='outcome="not-loaded"'),
            limits=ANY_IS_WRONG,
            is_of_shown_time=True,
        ),
        Number("Rows loaded", "Of all sources.", increase("autoloader_rows_loaded_total"), is_of_shown_time=True),
        Number(
            "Landed → queryable, 95 %",
            "From a batch's oldest landing to its rows in the table; 95 of 100 batches were faster.",
            quantile(0.95, QUERYABLE, over="$__range"),
            unit="s",
            limits=Limits(warn=300, alarm=900),
            is_of_shown_time=True,
        ),
        Number(
            "Batches failed",
            "As a whole; `autoloader explain BATCH` says why.",
            increase("autoloader_batches_ended_total", where='outcome="failed"'),
            limits=ANY_IS_WRONG,
            links=[RUNS],
            is_of_shown_time=True,
        ),
        Number(
            "Dead letters",
            "Records that could not be used.",
            increase("autoloader_dead_letters_total"),
            limits=ANY_IS_WRONG,
            is_of_shown_time=True,
        ),
    ],
)
FLOW: Row = (
    "What waits, what comes, what is loaded",
    [
        Lines(
            "Files that wait, by source",
            "The ten longest lines.",
            {"{{source}}": f"topk(10, {total('autoloader_backlog_files', 'source', 'lane', by='source')})"},
            links=[SOURCE_HERE, RUNS_OF_SOURCE],
            is_stacked=True,
        ),
        Lines(
            "Landed → queryable",
            "From a batch's oldest landing to its rows. A dot is a batch, for `autoloader explain`, and its run.",
            {f"{share:.0%}": quantile(share, QUERYABLE) for share in (0.5, 0.95, 0.99)},
            unit="s",
            has_examples=True,
            limits=Limits(warn=300, alarm=900),
        ),
        Lines(
            "Announcements a second, by what became of them",
            "`known` was told before; `unmatched` no source wants.",
            {"{{outcome}}": rate("autoloader_records_total", "outcome")},
            unit="ops",
        ),
        Lines(
            "Rows loaded a second, by source",
            "The ten busiest.",
            {"{{source}}": f"topk(10, {rate('autoloader_rows_loaded_total', 'source')})"},
            unit="rowsps",
            links=[SOURCE_HERE, RUNS_OF_SOURCE],
            is_stacked=True,
        ),
        Lines(
            "Lanes: slots taken",
            "A lane that stays at 100 % while files wait in it needs more workers, or less to do.",
            {"{{lane}}": taken()},
            unit="percentunit",
            limits=Limits(warn=0.9),
        ),
        Lines(
            "Files that wait, by lane",
            "",
            {"{{lane}}": total("autoloader_backlog_files", "source", "lane", by="lane")},
            is_stacked=True,
        ),
    ],
)
WRONG: Row = (
    "What went wrong",
    [
        Lines(
            "Batches not loaded whole, by source",
            "In five minutes. A click leads to the source's runs; `autoloader explain BATCH` says why.",
            {
                "{{source}} {{outcome}}": lately(
                    "autoloader_batches_ended_total", "source", "outcome", where='outcome!="loaded"'
                )
            },
            links=[SOURCE_HERE, RUNS_OF_SOURCE],
        ),
        Lines(
            "Dead letters, by reason",
            "In five minutes. What to do about each reason: docs/troubleshooting.md.",
            {"{{reason}}": lately("autoloader_dead_letters_total", "reason")},
        ),
        Lines(
            "Attempts that failed, by what comes next",
            "In five minutes. `void`: nobody began it; `close`: it was the last.",
            {"{{next}}": increase("autoloader_attempts_failed_total", "next", over="5m")},
            links=[RUNS],
        ),
    ],
)


def overview() -> Dashboard:
    """Build the dashboard that everybody opens first."""
    return board(
        "overview",
        "Overview",
        "Is everything in? How long does it take, and what failed?",
        [
            NOW,
            SHOWN,
            FLOW,
            WRONG,
            ("What to ask next", [Words("Where is my file?", ASK)]),
        ],
    )
