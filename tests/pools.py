"""Lanes in pools of each type that is neither processes nor Kubernetes."""

from collections.abc import Mapping
from typing import Any

from schemas.config.lanes import HighMemory
from schemas.config.pools import PoolType
from schemas.config.sizes import JobVariables

POOLS: Mapping[PoolType, Mapping[str, Any]] = {
    "docker": {"image": "a:1", "networks": ["loads"], "volumes": ["/etc/spark:/etc/spark:ro"], "env": {"TZ": "UTC"}},
    "ecs": {
        "image": "a:1",
        "cluster": "loads",
        "execution_role": "arn:aws:iam::1:role/pull",
        "task_role": "arn:aws:iam::1:role/load",
        "vpc": "vpc-1",
        "subnets": ["subnet-1"],
        "security_groups": ["sg-1"],
        "secrets": {"DATABASE_URL": "arn:aws:secretsmanager:eu-central-1:1:secret:ledger"},
        "env": {"TZ": "UTC"},
        "scratch": "50GiB",
    },
    "cloud-run-v2": {
        "image": "a:1",
        "region": "europe-west3",
        "service_account": "loads@example.iam.gserviceaccount.com",
        "secrets": {"DATABASE_URL": "ledger:3"},
        "env": {"TZ": "UTC"},
        "deadline": "2h",
    },
    "vertex-ai": {
        "image": "a:1",
        "region": "europe-west3",
        "service_account": "loads@example.iam.gserviceaccount.com",
        "env": {"TZ": "UTC"},
        "deadline": "90m",
        "scratch": "150GiB",
    },
}
CLASSES = ({"cpu": 4, "memory": "16GiB"}, {"cpu": 8, "memory": "32GiB"})


def lane_of(pool: PoolType, **changes: Any) -> HighMemory:
    """A lane in a pool of that type, with two classes that all of them have."""
    return HighMemory.model_validate({"pool": {"type": pool, **POOLS[pool], **changes}, "classes": CLASSES})


def size_of(lane: HighMemory, n: int) -> JobVariables:
    """What the worker is told of the size of a run in the class of that number."""
    return lane.pool.job_variables(lane.classes[n])
