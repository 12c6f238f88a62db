"""One source: what waits of it, how long it takes from landing to rows, and what of it is not loaded."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from monitoring.boards import ASK, Row, board
from monitoring.panels import ANY_IS_WRONG, RUNS_OF_CHOSEN, Limits, Lines, Number, Words
from monitoring.queries import increase, quantile, rate, standing, total

HERE = 'source=~"$source"'
QUERYABLE = "autoloader_landed_to_queryable_seconds"
SPANS = {
    "landed → run in Prefect": "autoloader_event_to_submitted_seconds",
    "run in Prefect → begun": "autoloader_submitted_to_started_seconds",
    "landed → queryable": QUERYABLE,
}
NOW: Row = (
    "Now",
    [
        Number(
            "Files that wait",
            "In all lanes.",
            total("autoloader_backlog_files", "source", "lane", where=HERE),
            links=[RUNS_OF_CHOSEN],
        ),
        Number(
            "Their bytes",
            "As they landed.",
            total("autoloader_backlog_bytes", "source", "lane", where=HERE),
            unit="bytes",
        ),
        Number(
            "Files in flight",
            "In batches that have not ended.",
            total("autoloader_in_flight_files", "source", where=HERE),
            links=[RUNS_OF_CHOSEN],
        ),
        Number(
            "Files to measure",
            "The storage is asked about them before they wait.",
            total("autoloader_to_measure_files", "source", where=HERE),
        ),
        Number(
            "Oldest, of its objective",
            "How long ago the first in line landed, as a share of the `objective`: above 100 % an alert is raised.",
            f"max({standing('autoloader_backlog_oldest_seconds', 'source', where=HERE)} / on (source) "
            f"{standing('autoloader_objective_seconds', 'source', where=HERE)}) "
            f"or 0 * max({standing('autoloader_objective_seconds', 'source', where=HERE)})",
            unit="percentunit",
            limits=Limits(warn=0.5, alarm=1),
        ),
        Number(
            "Paused",
            "Sources of which a person holds back what waits: `autoloader resume SOURCE`.",
            total("autoloader_source_paused", "source", where=HERE),
            words={"0": "no"},
            limits=Limits(warn=1),
        ),
    ],
)
SHOWN: Row = (
    "In the time that is shown",
    [
        Number(
            "Files loaded",
            "Their rows are in the table.",
            increase("autoloader_files_ended_total", where=f'{HERE}, outcome="loaded"'),
            links=[RUNS_OF_CHOSEN],
            is_of_shown_time=True,
        ),
        Number(
            "Files not loaded",
            "Quarantined, missing, superseded or failed: `autoloader explain URI`.",
            increase("autoloader_files_ended_total", where=f'{HERE}, outcome="not-loaded"'),
            limits=ANY_IS_WRONG,
            links=[RUNS_OF_CHOSEN],
            is_of_shown_time=True,
        ),
        Number("Rows loaded", "", increase("autoloader_rows_loaded_total", where=HERE), is_of_shown_time=True),
        Number(
            "Batches",
            "That ended, however.",
            increase("autoloader_batches_ended_total", where=HERE),
            links=[RUNS_OF_CHOSEN],
            is_of_shown_time=True,
        ),
        Number(
            "Landed → queryable, 50 %",
            "Half of the batches were faster.",
            quantile(0.5, QUERYABLE, where=HERE, over="$__range"),
            unit="s",
            is_of_shown_time=True,
        ),
        Number(
            "Landed → queryable, 95 %",
            "95 of 100 batches were faster.",
            quantile(0.95, QUERYABLE, where=HERE, over="$__range"),
            unit="s",
            is_of_shown_time=True,
        ),
    ],
)
OVER_TIME: Row = (
    "Over time",
    [
        Lines(
            "Landed → queryable, 95 %, beside the objective",
            "From a batch's oldest landing to its rows. A dot is a batch, for `autoloader explain`, and its run.",
            {
                "{{source}}": quantile(0.95, QUERYABLE, "source", where=HERE),
                "objective of {{source}}": standing("autoloader_objective_seconds", "source", where=HERE),
            },
            unit="s",
            has_examples=True,
            links=[RUNS_OF_CHOSEN],
        ),
        Lines(
            "Where the time goes, 95 %",
            "The rest, from begun to queryable, is the load itself.",
            {name: quantile(0.95, span, where=HERE) for name, span in SPANS.items()},
            unit="s",
        ),
        Lines(
            "Files that wait, by lane",
            "",
            {"{{source}} {{lane}}": standing("autoloader_backlog_files", "source", "lane", where=HERE)},
            links=[RUNS_OF_CHOSEN],
            is_stacked=True,
        ),
        Lines(
            "Oldest that waits",
            "How long ago the first in line landed.",
            {"{{source}} {{lane}}": standing("autoloader_backlog_oldest_seconds", "source", "lane", where=HERE)},
            unit="s",
        ),
        Lines(
            "Batches by outcome",
            "In five minutes.",
            {"{{outcome}}": increase("autoloader_batches_ended_total", "outcome", where=HERE, over="5m")},
            links=[RUNS_OF_CHOSEN],
            is_stacked=True,
        ),
        Lines(
            "Rows loaded a second",
            "",
            {"{{source}}": rate("autoloader_rows_loaded_total", "source", where=HERE)},
            unit="rowsps",
            is_stacked=True,
        ),
    ],
)


def source() -> Dashboard:
    """Build the dashboard of whoever owns a table."""
    return board(
        "source",
        "Source",
        "What waits of a source, how long it takes from landing to rows, and what of it is not loaded.",
        [
            NOW,
            SHOWN,
            OVER_TIME,
            ("What to ask next", [Words("Where is my file?", ASK)]),
        ],
        by_source=True,
    )
