"""What may reach what in the cluster, and which rights are used: none is denied, none is there in vain."""

import json

import pytest

from tests.e2e.site import csv, eventually
from tests.kubernetes.lab.places import GATEWAY, IMAGE
from tests.kubernetes.manifests import built, of_kind
from tests.kubernetes.site import NAMESPACE, ClusterSite

pytestmark = [pytest.mark.integration, pytest.mark.node]

WORKER = "system:serviceaccount:autoloader:autoloader-worker-high-memory"
# Policies hold for a new pod as soon as the node's agent has heard of it: a moment after it has begun.
REACH = "import socket,sys,time; time.sleep(5); socket.create_connection((sys.argv[1], int(sys.argv[2])), 5).close()"


def reaches(site: ClusterSite, name: str, component: str, address: str, port: int) -> bool:
    """Whether a pod with the label of a component gets a connection."""
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": {"app.kubernetes.io/component": component}},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "securityContext": {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [
                {
                    "name": "one",
                    "image": IMAGE,
                    "command": ["python", "-c", REACH, address, str(port)],
                    "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                }
            ],
        },
    }
    site.kubectl.apply(pod)

    def phase() -> str:
        found: str = site.kubectl.json("get", "pod", name, "-n", NAMESPACE)["status"]["phase"]
        return found

    eventually(lambda: phase() in {"Succeeded", "Failed"}, f"{name} has ended", 60)
    reached = phase() == "Succeeded"
    site.kubectl("delete", "pod", name, "-n", NAMESPACE, "--wait=false")
    return reached


@pytest.mark.parametrize(
    ("component", "port", "may"),
    [
        ("router", 9092, True),
        ("process-worker", 5432, True),
        ("process-worker", 9092, False),
        ("stranger", 5432, False),
    ],
)
def test_a_pod_reaches_what_its_component_needs_and_nothing_else(
    site: ClusterSite, component: str, port: int, may: bool
) -> None:
    assert reaches(site, f"probe-{component}-{port}", component, GATEWAY, port) is may


def test_prometheus_and_prefect_reach_the_router_by_its_service(site: ClusterSite) -> None:
    assert "autoloader_batches_ended_total" in site.metrics()
    uri = site.write("orders", "hinted.csv", csv(1, a=1, b="x"))
    site.announce(uri)
    site.completion(uri)
    log = site.kubectl("logs", "-n", NAMESPACE, "-l", "app.kubernetes.io/name=autoloader-router", "--tail=-1")
    assert "router_started" in log


def test_the_worker_is_denied_nothing_and_has_no_right_in_vain(site: ClusterSite) -> None:
    # run after all others: `get` is for runs that crash or whose Job is deleted, and test_high_memory has such
    denied, used = site.cluster.denied_and_used(WORKER)

    role = of_kind(built("test"), "Role")["autoloader-worker-high-memory"]
    allowed = {(verb, resource) for rule in role["rules"] for resource in rule["resources"] for verb in rule["verbs"]}
    assert denied == []
    assert used == allowed, json.dumps({"in vain": sorted(allowed - used), "more": sorted(used - allowed)})
