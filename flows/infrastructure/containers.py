"""What lanes have in common whose runs are containers without Kubernetes.

The router names the size of each attempt in the variables of the pool's worker (`schemas.config.pools`), and in two of
ours beside them, which become the run's environment; a run for which it names none has the lane's first class.
"""

from __future__ import annotations

from copy import deepcopy
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from schemas.config.lanes import LaneConfig
    from schemas.config.pools import PoolType

COMMAND = "python -m prefect.engine"  # one Python; by itself the worker names a program of two
# On a stop the run says that it crashed; `reschedule` would start a second container of the same run.
ENDED_BY_SIGTERM = {"PREFECT_FLOW_RUN_EXECUTE_SIGTERM_BEHAVIOR": "crash"}
# What `flows.loading.room` reads, by the variables that say it.
TOLD = {"AUTOLOADER_CPUS": "autoloader_cpus", "AUTOLOADER_MEMORY": "autoloader_memory"}

# What has the pool's worker, and the optional group of ours that brings it.
PACKAGES: Mapping[PoolType, tuple[str, str]] = {
    "docker": ("prefect_docker", "docker"),
    "ecs": ("prefect_aws", "aws"),
    "cloud-run-v2": ("prefect_gcp", "gcp"),
    "vertex-ai": ("prefect_gcp", "gcp"),
}


def sized(default: Mapping[str, Any], lane: LaneConfig, **defaults: object) -> dict[str, Any]:
    """Take a worker's default template, with these defaults and the first class, and our two variables in it."""
    ours: dict[str, Any] = deepcopy(dict(default))
    ours["job_configuration"]["env"] = {name: f"{{{{ {variable} }}}}" for name, variable in TOLD.items()}
    variables = ours["variables"]["properties"]
    variables |= {variable: {"type": "string"} for variable in TOLD.values()}
    for name, value in {"command": COMMAND, **defaults, **lane.pool.job_variables(lane.classes[0])}.items():
        if value is not None:
            variables[name] = {**variables[name], "default": value}
    return ours


def lacking(pool: PoolType) -> str | None:
    """What is missing, when the package is not installed that has the pool's worker."""
    package, group = PACKAGES.get(pool, ("prefect", ""))
    if find_spec(package) is not None:
        return None
    return f"needs {package.replace('_', '-')}; install autoloader[{group}] here and where its worker runs"
