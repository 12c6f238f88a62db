"""The manifests in `k8s/`: who gets which secret, right and way out, and that no pod may do more. Go builds it."""

import pytest

from flows.infrastructure import kubernetes
from schemas.config.lanes import HighMemory
from tests.kubernetes.manifests import OVERLAYS, built, container, of_kind, ours, pods, secrets, selects
from tests.kubernetes.restricted import unrestricted
from tests.servers.tools import HAS_GO

pytestmark = [pytest.mark.integration, HAS_GO]

EVERYWHERE = pytest.mark.parametrize("overlay", ["base", *OVERLAYS])
ROUTER, MIGRATE, DEPLOY = "autoloader-router", "autoloader-migrate", "autoloader-deploy"
DEFAULT, PRIORITY, HIGH = (f"autoloader-worker-{lane}" for lane in ("default", "priority", "high-memory"))
DATABASE, KAFKA, PREFECT, STORAGE, SPARK, WEBHOOK, CA = (
    f"autoloader-{part}" for part in ("database", "kafka", "prefect", "storage", "spark", "webhook", "ca")
)
LOADS = {DATABASE, PREFECT, STORAGE, SPARK, CA}


@EVERYWHERE
def test_every_pod_is_restricted_in_a_namespace_that_asks_for_it(overlay: str) -> None:
    manifests = built(overlay)
    (namespace,) = of_kind(manifests, "Namespace").values()

    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert {name: list(unrestricted(pod)) for name, pod in pods(manifests).items() if list(unrestricted(pod))} == {}
    for pod in ours(manifests).values():
        assert container(pod)["securityContext"]["readOnlyRootFilesystem"] is True
        assert {pod["spec"]["securityContext"][user] for user in ("runAsUser", "runAsGroup", "fsGroup")} == {1000}


def test_a_pod_that_is_not_restricted_is_seen() -> None:
    privileged = {"name": "one", "securityContext": {"privileged": True}, "ports": [{"hostPort": 1}]}
    folder = {"name": "node", "hostPath": {"path": "/"}}

    found = list(unrestricted({"spec": {"hostPID": True, "volumes": [folder], "containers": [privileged]}}))

    assert found == [
        "may run as root",
        "has no seccomp profile",
        "shares hostPID",
        "has the volume node",
        "one may get more rights",
        "one keeps capabilities",
        "one takes a port of the node",
    ]


@EVERYWHERE
def test_a_component_gets_the_secrets_it_needs_and_no_others(overlay: str) -> None:
    assert {name: secrets(pod) for name, pod in ours(built(overlay)).items()} == {
        ROUTER: {DATABASE, KAFKA, PREFECT, STORAGE, WEBHOOK, CA},
        MIGRATE: {DATABASE, CA},
        DEPLOY: {PREFECT, WEBHOOK, CA},
        DEFAULT: LOADS,
        PRIORITY: LOADS,
        HIGH: LOADS if overlay == "phase-1" else {PREFECT, CA},
    }


@EVERYWHERE
def test_only_the_kubernetes_worker_is_known_to_the_api_server(overlay: str) -> None:
    manifests = built(overlay)
    accounts, roles = of_kind(manifests, "ServiceAccount"), of_kind(manifests, "Role", "ClusterRole")
    holder = set() if overlay == "phase-1" else {HIGH}

    assert {pod["spec"]["serviceAccountName"] for pod in ours(manifests).values()} == accounts.keys() - {
        "autoloader-run"
    }
    assert {name for name, one in accounts.items() if one["automountServiceAccountToken"]} == holder
    assert roles.keys() == of_kind(manifests, "RoleBinding", "ClusterRoleBinding").keys() == holder
    assert [(rule["resources"], sorted(rule["verbs"])) for role in roles.values() for rule in role["rules"]] == [
        (["jobs"], ["create", "delete", "get", "list", "watch"]),
        (["pods"], ["list", "watch"]),
        (["pods/log"], ["get"]),
    ] * len(holder)


@EVERYWHERE
def test_every_service_is_spread_kept_and_ranked_and_has_time_to_end(overlay: str) -> None:
    manifests = built(overlay)
    budgets, classes = of_kind(manifests, "PodDisruptionBudget"), of_kind(manifests, "PriorityClass")

    for name in (ROUTER, DEFAULT, PRIORITY, HIGH):
        pod = pods(manifests)[name]
        keys = {spread["topologyKey"] for spread in pod["spec"]["topologySpreadConstraints"]}

        assert keys == {"kubernetes.io/hostname", "topology.kubernetes.io/zone"}
        assert budgets[name]["spec"]["maxUnavailable"] == 1
        assert pod["metadata"]["labels"].items() >= budgets[name]["spec"]["selector"]["matchLabels"].items()
        assert pod["spec"]["priorityClassName"] in classes
        assert pod["spec"]["terminationGracePeriodSeconds"] >= 60


@EVERYWHERE
def test_every_place_that_is_written_to_has_a_size(overlay: str) -> None:
    for pod in ours(built(overlay)).values():
        folders = [volume["emptyDir"] for volume in pod["spec"]["volumes"] if "emptyDir" in volume]
        resources = container(pod)["resources"]

        assert folders
        assert all("sizeLimit" in folder for folder in folders)
        assert "ephemeral-storage" in resources["requests"]
        assert "ephemeral-storage" in resources["limits"]


@EVERYWHERE
def test_a_pod_may_go_where_its_secrets_lead_and_nowhere_else(overlay: str) -> None:
    manifests = built(overlay)
    policies = of_kind(manifests, "NetworkPolicy")
    places = {DATABASE: "to-postgres", KAFKA: "to-kafka", PREFECT: "to-prefect", STORAGE: "to-storage"}
    places |= {SPARK: "to-spark-connect"}
    always = {"deny", "to-dns"} | ({"to-parts"} if overlay == "dev" else set())

    for name, pod in ours(manifests).items():
        found = {policy for policy, one in policies.items() if selects(one, pod["metadata"]["labels"])}
        wanted = {places[secret] for secret in secrets(pod) if secret in places}
        wanted |= {"to-router"} if name == ROUTER else set()
        wanted |= {"to-kubernetes"} if name == HIGH and overlay != "phase-1" else set()

        assert found == always | wanted
    assert policies["deny"]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_a_run_of_a_kubernetes_lane_may_go_where_it_must() -> None:
    job = kubernetes.template(HighMemory())["job_configuration"]["job_manifest"]["spec"]
    labels = job["template"]["metadata"]["labels"]

    found = {name for name, one in of_kind(built("base"), "NetworkPolicy").items() if selects(one, labels)}

    assert found == {"deny", "to-dns", "to-postgres", "to-prefect", "to-spark-connect", "to-storage"}
