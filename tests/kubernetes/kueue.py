"""A stand-in for Kueue: it makes a Workload of each Job with a queue, admits some and preempts them.

It does to Jobs and Workloads what Kueue's own controllers do, in their words; whom it admits, the test says.
"""

import json
from datetime import UTC, datetime
from typing import Any

from tests.kubernetes.definitions import KUEUE, define
from tests.kubernetes.site import NAMESPACE, ClusterSite

QUEUE = "kueue.x-k8s.io/queue-name"
PRIORITY = "kueue.x-k8s.io/priority-class"
NO_QUOTA = "couldn't assign flavors to pod set main: insufficient unused quota for memory in flavor default"


class Kueue:
    """Of one namespace."""

    def __init__(self, site: ClusterSite) -> None:
        self._site = site
        define(site.kubectl, KUEUE)

    def job_of(self, run: str) -> dict[str, Any]:
        """The one Job of a run."""
        (name,) = self._site.jobs_of(run)
        return self._site.kubectl.json("get", name, "-n", NAMESPACE)

    def queue(self, run: str) -> None:
        """Stand a suspended Job in line."""
        job = self.job_of(run)
        assert job["spec"]["suspend"] is True
        template = {key: job["spec"]["template"][key] for key in ("metadata", "spec")}
        labels = {key: value for key, value in template["metadata"]["labels"].items() if "uid" not in key}
        owner = {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "name": job["metadata"]["name"],
            "uid": job["metadata"]["uid"],
        }
        workload = {
            "apiVersion": "kueue.x-k8s.io/v1beta2",
            "kind": "Workload",
            "metadata": {
                "name": _name(job),
                "namespace": NAMESPACE,
                "ownerReferences": [{**owner, "controller": True}],
            },
            "spec": {
                "queueName": job["metadata"]["labels"][QUEUE],
                "podSets": [
                    {"name": "main", "count": 1, "template": {"metadata": {"labels": labels}, "spec": template["spec"]}}
                ],
            },
        }
        self._site.kubectl("apply", "--server-side", "-f", "-", given=json.dumps(workload))
        self._say(job, QuotaReserved=("False", "Pending", NO_QUOTA))

    def admit(self, run: str) -> None:
        """Let a Job begin."""
        job = self.job_of(run)
        self._say(job, QuotaReserved=("True", "QuotaReserved", "Quota reserved"), Admitted=("True", "Admitted", "yes"))
        self._suspend(job, suspended=False)

    def preempt(self, run: str) -> None:
        """Take its pod away again, for one of a higher priority."""
        job = self.job_of(run)
        self._say(job, Evicted=("True", "Preempted", "Preempted to accommodate a workload"))
        self._suspend(job, suspended=True)

    def _suspend(self, job: dict[str, Any], *, suspended: bool) -> None:
        patch = json.dumps({"spec": {"suspend": suspended}})
        self._site.kubectl("patch", "job", job["metadata"]["name"], "-n", NAMESPACE, "--type=merge", "-p", patch)

    def _say(self, job: dict[str, Any], **conditions: tuple[str, str, str]) -> None:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        told = [
            {"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": now}
            for kind, (status, reason, message) in conditions.items()
        ]
        patch = json.dumps({"status": {"conditions": told}})
        resource = ("workload.kueue.x-k8s.io", _name(job), "-n", NAMESPACE)
        self._site.kubectl("patch", *resource, "--subresource=status", "--type=merge", "-p", patch)


def _name(job: dict[str, Any]) -> str:
    return f"job-{job['metadata']['name']}"
