"""The base job template of a lane in Kubernetes: a Job of its own for each run, sized as a whole."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

CPU, MEMORY = "8", "32Gi"  # requests and limits alike: a big load must neither starve nor be evicted
DEADLINE_SECONDS = 6 * 3600  # without one, a pod that cannot be scheduled stays pending for ever
FINISHED_TTL_SECONDS = 3600
USER = 1000


def high_memory(template: dict[str, Any]) -> dict[str, Any]:
    """Prefect's own template for Kubernetes, with our size, a deadline and what Pod Security *restricted* asks for."""
    ours = deepcopy(template)
    job = ours["job_configuration"]["job_manifest"]["spec"]
    job["activeDeadlineSeconds"] = DEADLINE_SECONDS
    pod = job["template"]["spec"]
    pod["securityContext"] = {"runAsNonRoot": True, "runAsUser": USER, "seccompProfile": {"type": "RuntimeDefault"}}
    pod["containers"][0]["securityContext"] = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    defaults = {
        "cpu_request": CPU,
        "cpu_limit": CPU,
        "memory_request": MEMORY,
        "memory_limit": MEMORY,
        "finished_job_ttl": FINISHED_TTL_SECONDS,
    }
    for name, value in defaults.items():
        ours["variables"]["properties"][name]["default"] = value
    return ours


def default_template() -> dict[str, Any]:
    """As the installed Kubernetes worker has it."""
    from prefect_kubernetes.worker import (  # type: ignore[import-untyped]  # noqa: PLC0415 - imports for seconds
        KubernetesWorker,
    )

    template: dict[str, Any] = KubernetesWorker.get_default_base_job_template()
    return template
