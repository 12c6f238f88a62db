"""A lane in Kubernetes: a Job of its own for each run, sized as a whole.

The router names the size of each attempt by the variables `cpu_request`, `cpu_limit`, `memory_request` and
`memory_limit`. The pod's environment is that of its image and of this template, never the worker's: there is no
`SPARK_CONNECT_URL` in it, and a run of the lane high-memory would not look at it (`flows.loading.session`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from schemas.config.lanes import HighMemory

if TYPE_CHECKING:
    from schemas.config.lanes import LaneConfig

DEADLINE_SECONDS = 6 * 3600  # without one, a pod that cannot be scheduled stays pending for ever
FINISHED_TTL_SECONDS = 3600
USER = 1000


def template(lane: LaneConfig) -> dict[str, Any]:
    """Take Prefect's own template, with a deadline and what Pod Security *restricted* asks for.

    And with the lane's first size class, where it has any, for runs that name none.
    """
    ours = default_template()
    job = ours["job_configuration"]["job_manifest"]["spec"]
    job["activeDeadlineSeconds"] = DEADLINE_SECONDS
    pod = job["template"]["spec"]
    pod["securityContext"] = {"runAsNonRoot": True, "runAsUser": USER, "seccompProfile": {"type": "RuntimeDefault"}}
    pod["containers"][0]["securityContext"] = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    defaults: dict[str, Any] = {"finished_job_ttl": FINISHED_TTL_SECONDS}
    if isinstance(lane, HighMemory):
        defaults |= lane.classes[0].kubernetes_variables
    for name, value in defaults.items():
        ours["variables"]["properties"][name]["default"] = value
    return ours


def job_variables() -> dict[str, Any]:
    """Say nothing: the pod's command is that of its image."""
    return {}


def default_template() -> dict[str, Any]:
    """As the installed Kubernetes worker has it."""
    from prefect_kubernetes.worker import (  # type: ignore[import-untyped]  # noqa: PLC0415 - imports for seconds
        KubernetesWorker,
    )

    template: dict[str, Any] = KubernetesWorker.get_default_base_job_template()
    return template
