"""A lane in Kubernetes: a Job of its own for each run, sized as a whole.

The router names the size of each attempt by the variables `cpu_request`, `cpu_limit`, `memory_request` and
`memory_limit`; a run for which it names none has the lane's first class. The pod's environment is that of its image, of
this template and of the pool's secrets, never the worker's but for Prefect's own settings. It satisfies Pod Security
*restricted*: nothing in it is written but two folders that end with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from schemas.config.pools.kubernetes import KubernetesPool, Kueue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from schemas.config.lanes import LaneConfig

FINISHED_TTL_SECONDS = 3600
USER = 1000
TEMPORARY_BYTES = 1024**3
# Where the image's Spark spills, see Dockerfile.
SCRATCH = "/var/autoloader"
# By these our pods are known, by the second to the network policies in `k8s/`. Prefect's worker takes
# `app.kubernetes.io/part-of` for itself.
LABELS = {"autoloader/part": "run", "app.kubernetes.io/component": "run"}
# On a stop the worker's own choice, `reschedule`, would start a second Job, or container, of the same run.
ENDED_BY_SIGTERM = {"PREFECT_FLOW_RUN_EXECUTE_SIGTERM_BEHAVIOR": "crash"}
COMMAND, ARGUMENTS = ["python"], ["-m", "prefect.engine"]  # one Python; by itself the worker names a program of two


def template(lane: LaneConfig) -> dict[str, Any]:
    """Take Prefect's own template, and say in it all that the pool is configured with."""
    ours, pool = default_template(), _pool(lane)
    job = _queued(ours["job_configuration"]["job_manifest"], pool.kueue)["spec"]
    job["activeDeadlineSeconds"] = int(pool.deadline.total_seconds())  # else an unschedulable pod is pending for ever
    job["template"]["metadata"] = {"labels": LABELS}
    pod = job["template"]["spec"]
    pod |= _placed(pool) | {
        "automountServiceAccountToken": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "volumes": [*_folders(pool), *_secrets(pool)],
    }
    container = pod["containers"][0]
    container |= {
        "command": COMMAND,
        "args": ARGUMENTS,
        "env": _told_by_kubernetes(),
        "envFrom": [{"secretRef": {"name": name}} for name in pool.secrets],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - a folder of the pod alone
            {"name": "scratch", "mountPath": SCRATCH},
            *({"name": f"mount-{n}", "mountPath": path, "readOnly": True} for n, path in enumerate(pool.mounts)),
        ],
    }
    disk = f"{(pool.scratch + 2 * TEMPORARY_BYTES) // 1024**2}Mi"  # the log of the container too
    for part in container["resources"].values():
        part["ephemeral-storage"] = disk
    _set_defaults(ours["variables"]["properties"], lane, pool)
    return ours


def environment(lane: LaneConfig) -> Mapping[str, str]:
    """What all runs of the lane find in their environment."""
    return ENDED_BY_SIGTERM | _pool(lane).env


def job_variables() -> dict[str, Any]:
    """Say nothing: the template holds it all."""
    return {}


def trouble(lane: LaneConfig) -> str | None:
    """What is missing of the pool's configuration, with what to write."""
    return None if _pool(lane).image else "names no image; write pool: {type: kubernetes, image: …}"


def default_template() -> dict[str, Any]:
    """As the installed Kubernetes worker has it."""
    from prefect_kubernetes.worker import KubernetesWorker  # noqa: PLC0415 - imports for seconds

    template: dict[str, Any] = KubernetesWorker.get_default_base_job_template()
    return template


def _pool(lane: LaneConfig) -> KubernetesPool:
    if not isinstance(lane.pool, KubernetesPool):
        raise TypeError(f"a pool of type {lane.pool.type} is none of Kubernetes")
    return lane.pool


def _set_defaults(variables: dict[str, Any], lane: LaneConfig, pool: KubernetesPool) -> None:
    defaults = {
        "image": pool.image,
        "image_pull_policy": pool.image_pull_policy,
        "namespace": pool.namespace,
        "service_account_name": pool.service_account,
        "finished_job_ttl": FINISHED_TTL_SECONDS,
        "backoff_limit": 0,  # what comes next is decided by the router alone
        **pool.job_variables(lane.classes[0]),
    }
    for name, value in defaults.items():
        if value is not None:
            variables[name]["default"] = value


def _queued(job: dict[str, Any], kueue: Kueue | None) -> dict[str, Any]:
    """Make it stand in its queue: Kueue begins what it has admitted. Prefect's own labels join these."""
    if kueue is not None:
        labels = {"queue-name": kueue.queue, "priority-class": kueue.priority_class}
        job["spec"]["suspend"] = True
        job["metadata"]["labels"] = {f"kueue.x-k8s.io/{key}": value for key, value in labels.items() if value}
    return job


def _placed(pool: KubernetesPool) -> dict[str, Any]:
    placed = {
        "nodeSelector": pool.node_selector,
        "tolerations": list(pool.tolerations),
        "priorityClassName": pool.priority_class,
    }
    return {name: value for name, value in placed.items() if value}


def _folders(pool: KubernetesPool) -> list[dict[str, Any]]:
    sizes = {"tmp": TEMPORARY_BYTES, "scratch": pool.scratch}
    return [{"name": name, "emptyDir": {"sizeLimit": f"{size // 1024**2}Mi"}} for name, size in sizes.items()]


def _secrets(pool: KubernetesPool) -> list[dict[str, Any]]:
    return [{"name": f"mount-{n}", "secret": {"secretName": name}} for n, name in enumerate(pool.mounts.values())]


def _told_by_kubernetes() -> list[dict[str, Any]]:
    """What only Kubernetes knows of a pod: its address, and the size that Spark shall have."""
    sizes = {"AUTOLOADER_MEMORY": "requests.memory", "AUTOLOADER_CPUS": "limits.cpu"}
    return [
        {"name": "AUTOLOADER_POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        *({"name": name, "valueFrom": {"resourceFieldRef": {"resource": size}}} for name, size in sizes.items()),
    ]
