"""What a type of work pool means to the router: whether its runs have a size each, and who says how they ended."""

from typing import assert_never

from schemas.config.pools import PoolType
from schemas.config.sizes import Reserved

# What a worker asks for that only makes pods, in `k8s/base/worker-high-memory.yaml`.
POD_MAKER = Reserved(cpu=0.5, memory=1024**3)


def is_sized(pool: PoolType) -> bool:
    """Whether each run has a size of its own, and somebody who makes room for it; processes have what they have."""
    match pool:
        case "process":
            return False
        case "kubernetes" | "docker" | "ecs" | "cloud-run-v2" | "vertex-ai":
            return True
        case _:
            assert_never(pool)


def is_diagnosed(pool: PoolType) -> bool:
    """Whether somebody says in Prefect's events why a run's pod does not begin, or has ended."""
    match pool:
        case "kubernetes":
            return True
        case "process" | "docker" | "ecs" | "cloud-run-v2" | "vertex-ai":
            return False
        case _:
            assert_never(pool)
