"""The routers: whether each stage comes on, who holds the leases, what is not read and what is not published."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from monitoring.boards import Row, board
from monitoring.panels import ANY_IS_WRONG, Limits, Lines, Number, States
from monitoring.queries import age, chosen, increase, lately, owned, quantile, rate, standing, zero

PROGRESS = "autoloader_stage_progress_timestamp_seconds"
CONNECTIONS = f"{standing('autoloader_ledger_connections')} / {standing('autoloader_ledger_connections_limit')}"
DAY = 86_400
NOW: Row = (
    "Now",
    [
        Number(
            "Routers",
            "That Prometheus reaches.",
            f"count({chosen('autoloader_backlog_counted_timestamp_seconds')})",
            width=3,
        ),
        Number(
            "Stages in trouble",
            "What they depend on does not answer: `autoloader doctor`.",
            f"sum({standing('autoloader_stage_in_trouble', 'stage')})",
            limits=ANY_IS_WRONG,
            width=3,
        ),
        Number(
            "Longest without progress",
            "Of the stages of all routers; liveness ends a router after two minutes.",
            f"max(time() - {chosen(PROGRESS)})",
            unit="s",
            limits=Limits(warn=30, alarm=120),
            width=3,
        ),
        Number(
            "Records not read", "Of all topics.", f"{owned('autoloader_consumer_lag_records')} or {zero()}", width=3
        ),
        Number(
            "Leases held",
            "Two, scheduling and publication, by one router each: with fewer nothing is scheduled or published.",
            owned("autoloader_lease_held"),
            words={"2": "both"},
            width=3,
        ),
        Number(
            "Events not published",
            "Completions and dead letters.",
            standing("autoloader_outbox_events"),
            limits=Limits(warn=1000),
            width=3,
        ),
        Number(
            "Oldest of them",
            "How long ago it was written.",
            standing("autoloader_outbox_oldest_seconds"),
            unit="s",
            limits=Limits(warn=60, alarm=300),
            width=3,
        ),
        Number(
            "Connections to PostgreSQL",
            "Of all that it takes, by everybody.",
            CONNECTIONS,
            unit="percentunit",
            limits=Limits(warn=0.6, alarm=0.8),
            width=3,
        ),
    ],
)
STAGES: Row = (
    "Stages",
    [
        States(
            "Stages in trouble, by router",
            "Red while what the stage depends on does not answer.",
            f"max by (instance, stage) ({chosen('autoloader_stage_in_trouble')})",
            "{{stage}} {{instance}}",
            {"0": ("well", "green"), "1": ("in trouble", "red")},
            width=8,
        ),
        Lines(
            "Time without progress, by stage",
            "Of the router that is worst off.",
            {"{{stage}}": f"max by (stage) (time() - {chosen(PROGRESS)})"},
            unit="s",
            limits=Limits(warn=30, alarm=120),
        ),
        Lines(
            "How long a step takes, 95 %",
            "Steps are bounded: what takes longer waits for something.",
            {"{{stage}}": quantile(0.95, "autoloader_step_seconds", "stage")},
            unit="s",
        ),
        Lines(
            "What happens a second",
            "The facts of the log, the twelve most frequent.",
            {"{{fact}}": f"topk(12, {rate('autoloader_facts_total', 'fact')})"},
            unit="ops",
            width=16,
        ),
        Lines(
            "What goes wrong, in five minutes",
            "Facts that mean trouble outside.",
            {
                "{{fact}}": lately(
                    "autoloader_facts_total",
                    "fact",
                    where='fact=~".*_failed|breaker_opened|event_set_aside|run_not_cancelled"',
                )
            },
        ),
    ],
)
KAFKA: Row = (
    "Kafka",
    [
        Lines(
            "Records not read, by topic",
            "By all routers together.",
            {"{{topic}}": owned("autoloader_consumer_lag_records", "topic")},
        ),
        Lines(
            "Age of the first record not taken in",
            "What grows older than its topic keeps it is lost: compare with `retention.ms`.",
            {"{{topic}}": standing("autoloader_consumer_behind_seconds", "topic")},
            unit="s",
            limits=Limits(warn=DAY / 24, alarm=DAY),
        ),
        Lines(
            "Not published yet",
            "The outbox: completions and dead letters.",
            {"events": standing("autoloader_outbox_events")},
        ),
        Lines(
            "Announcements a second, by router",
            "Partitions are dealt among the routers.",
            {"{{instance}}": rate("autoloader_records_total", "instance")},
            unit="ops",
        ),
        Lines(
            "Dead letters, by reason",
            "In five minutes.",
            {"{{reason}}": lately("autoloader_dead_letters_total", "reason")},
        ),
        Lines(
            "Requests answered, by outcome",
            "In five minutes.",
            {"{{kind}} {{outcome}}": lately("autoloader_requests_ended_total", "kind", "outcome")},
        ),
    ],
)
LEDGER: Row = (
    "Leases, webhooks, ledger",
    [
        States(
            "Who holds the leases",
            "One router each; the others stand by.",
            f"max by (instance, role) ({chosen('autoloader_lease_held')})",
            "{{role}} {{instance}}",
            {"0": ("stands by", "text"), "1": ("holds it", "green")},
            width=8,
        ),
        Lines(
            "Leases that changed hands",
            "In five minutes: often means that routers lose the ledger in turns.",
            {"{{role}}": increase("autoloader_lease_changes_total", "role", over="5m")},
            limits=Limits(warn=3),
        ),
        Lines(
            "Attempts that a sweep settled",
            "In five minutes: of these no webhook had told.",
            {
                "swept": increase("autoloader_sweep_repairs_total", over="5m"),
                "batches that ended": increase("autoloader_batches_ended_total", over="5m"),
            },
        ),
        Lines(
            "Connections to PostgreSQL",
            "Of everybody, to all its databases.",
            {
                "connections": standing("autoloader_ledger_connections"),
                "the most it takes": standing("autoloader_ledger_connections_limit"),
            },
        ),
        Lines("The ledger's size", "On disk.", {"ledger": standing("autoloader_ledger_bytes")}, unit="bytes"),
        Lines(
            "Ledger last looked at",
            "For these numbers; it grows while the ledger does not answer.",
            {"age": age("autoloader_backlog_counted_timestamp_seconds")},
            unit="s",
        ),
    ],
)


def router() -> Dashboard:
    """Build the dashboard of whoever runs Autoloader."""
    return board(
        "router",
        "Router",
        "Whether each stage comes on, who holds the leases, what is not read and what is not published.",
        [
            NOW,
            STAGES,
            KAFKA,
            LEDGER,
        ],
    )
