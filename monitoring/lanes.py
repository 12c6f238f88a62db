"""The lanes: whether their slots are taken, what waits for one, how long a run waits for its begin, and for what."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from monitoring.boards import Row, board
from monitoring.panels import ANY_IS_WRONG, POOL_OF_LANE, SOURCE_HERE, Limits, Lines, Number
from monitoring.queries import increase, lately, quantile, rate, standing, total
from schemas.config.lanes import LANES


def taken(where: str = "") -> str:
    """Say how much of a lane's slots is taken, by lane."""
    return (
        f"{standing('autoloader_lane_in_flight', 'lane', where=where)} / "
        f"{standing('autoloader_lane_slots', 'lane', where=where)}"
    )


_SLOTS_TAKEN = [
    Number(
        f"{lane}: slots taken",
        "Attempts that have not ended, of the most at once.",
        taken(f'lane="{lane}"'),
        unit="percentunit",
        limits=Limits(warn=0.9),
        links=[POOL_OF_LANE],
        width=4,
    )
    for lane in LANES
]
_WAITING = [
    Number(
        f"{lane}: files that wait",
        "Of all sources.",
        total("autoloader_backlog_files", "source", "lane", where=f'lane="{lane}"'),
        width=4,
    )
    for lane in LANES
]
NOW: Row = ("Now", [*_SLOTS_TAKEN, *_WAITING])
SLOTS: Row = (
    "Slots and lines",
    [
        Lines(
            "Slots taken",
            "A lane that is full while files wait in it needs more workers, or less to do.",
            {
                "{{lane}}": standing("autoloader_lane_in_flight", "lane"),
                "slots of {{lane}}": standing("autoloader_lane_slots", "lane"),
                "{{lane}} could have besides": standing("autoloader_lane_waiting", "lane"),
            },
            links=[POOL_OF_LANE],
        ),
        Lines(
            "Files that wait, by lane",
            "",
            {"{{lane}}": total("autoloader_backlog_files", "source", "lane", by="lane")},
            links=[POOL_OF_LANE],
            is_stacked=True,
        ),
        Lines(
            "Bytes that wait, by lane",
            "As they landed.",
            {"{{lane}}": total("autoloader_backlog_bytes", "source", "lane", by="lane")},
            unit="bytes",
            is_stacked=True,
        ),
        Lines(
            "Oldest that waits, by lane",
            "How long ago the first in line landed.",
            {"{{lane}}": standing("autoloader_backlog_oldest_seconds", "lane")},
            unit="s",
            limits=Limits(warn=300, alarm=900),
        ),
        Lines(
            "Who waits",
            "The ten longest lines.",
            {"{{lane}} {{source}}": f"topk(10, {standing('autoloader_backlog_files', 'lane', 'source')})"},
            links=[SOURCE_HERE],
            width=16,
        ),
    ],
)
BEGIN: Row = (
    "Runs that do not begin",
    [
        Lines(
            "Run in Prefect → begun, 95 %",
            "How long a run waits for a worker, or for its pod.",
            {"{{lane}}": quantile(0.95, "autoloader_submitted_to_started_seconds", "lane")},
            unit="s",
            limits=Limits(warn=60, alarm=300),
            links=[POOL_OF_LANE],
        ),
        Lines(
            "Held up by Kubernetes",
            "Runs that it cannot begin just now, by what it says; `autoloader explain BATCH` says it in full.",
            {"{{lane}}: {{diagnosis}}": standing("autoloader_runs_held_up", "lane", "diagnosis")},
            limits=ANY_IS_WRONG,
            links=[POOL_OF_LANE],
        ),
        Lines(
            "Attempts that nobody began",
            "In five minutes: is a worker of the lane's pool running?",
            {"void": increase("autoloader_attempts_failed_total", where='next="void"', over="5m")},
            limits=ANY_IS_WRONG,
        ),
    ],
)
END: Row = (
    "Runs that end",
    [
        Lines(
            "Batches ended a second, by lane",
            "",
            {"{{lane}}": rate("autoloader_batches_ended_total", "lane")},
            unit="ops",
            links=[POOL_OF_LANE],
        ),
        Lines(
            "Batches not loaded whole, by lane",
            "In five minutes.",
            {
                "{{lane}} {{outcome}}": lately(
                    "autoloader_batches_ended_total", "lane", "outcome", where='outcome!="loaded"'
                )
            },
        ),
        Lines(
            "Landed → queryable, 95 %",
            "By the lane that loaded it.",
            {"{{lane}}": quantile(0.95, "autoloader_landed_to_queryable_seconds", "lane")},
            unit="s",
        ),
    ],
)


def lanes() -> Dashboard:
    """Build the dashboard of whoever gives the lanes their workers."""
    return board(
        "lanes",
        "Lanes",
        "Whether the slots of a lane are taken, what waits for one, and why a run does not begin.",
        [
            NOW,
            SLOTS,
            BEGIN,
            END,
        ],
    )
