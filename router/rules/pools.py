"""What a type of work pool means to the router: whether its runs have a size each, and how they are told it."""

from collections.abc import Mapping
from typing import assert_never

from schemas.config.lanes import PoolType, Reserved, SizeClass

# What a worker asks for that only makes pods, in `k8s/base/worker-high-memory.yaml`.
POD_MAKER = Reserved(cpu=0.5, memory=1024**3)


def is_sized(pool: PoolType) -> bool:
    """Whether each run has a size of its own, and somebody who makes room for it; processes have what they have."""
    match pool:
        case "process":
            return False
        case "kubernetes":
            return True
        case _:
            assert_never(pool)


def job_variables(pool: PoolType, size: SizeClass) -> Mapping[str, str]:
    """Tell the pool's Prefect worker the size of a run; nothing where runs have none."""
    match pool:
        case "process":
            return {}
        case "kubernetes":
            return size.kubernetes_variables
        case _:
            assert_never(pool)
