"""What is told to Prefect: automations that see our runs alone, and the Kubernetes template."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from prefect.client.schemas.objects import FlowRun
from prefect.events import EventTrigger, Posture
from prefect.events.actions import CallWebhook
from prefect.utilities.templating import apply_values
from prefect_kubernetes.worker import KubernetesWorkerJobConfiguration

from flows.deploying.automations import automations
from flows.deploying.deployments import deployed, wanted_of
from flows.deploying.pools import pool_name
from flows.infrastructure.kubernetes import environment, template, trouble
from schemas.config.lanes import HighMemory, LaneConfig
from schemas.config.pools.kubernetes import KubernetesPool, Kueue


def test_the_automations_look_at_our_deployments_alone() -> None:
    deployment, webhook = uuid4(), uuid4()

    hint, gone, cancelling = automations([deployment], webhook)

    for automation in (hint, gone, cancelling):
        assert isinstance(automation.trigger, EventTrigger)
        assert f"prefect.deployment.{deployment}" in str(automation.trigger.match_related)
    assert isinstance(gone.trigger, EventTrigger)
    assert gone.trigger.posture is Posture.Proactive
    assert gone.trigger.for_each == {"prefect.resource.id"}


def test_every_value_in_the_webhooks_body_is_escaped() -> None:
    hint, *_ = automations([uuid4()], uuid4())

    (action,) = hint.actions

    assert isinstance(action, CallWebhook)
    assert action.payload.count("{{") == action.payload.count("| tojson }}") == 2


def test_a_lane_has_one_name_for_pool_and_queue() -> None:
    assert pool_name("high-memory") == "autoloader-high-memory"


def test_loads_run_in_every_lane_and_previews_in_priority() -> None:
    assert {one.name: one.entrypoint for one in deployed("some.other.ingest")} == {
        "ingest/default": "some.other.ingest",
        "ingest/high-memory": "some.other.ingest",
        "ingest/priority": "some.other.ingest",
        "preview/priority": "flows.preview.preview",
    }


def job_of(lane: LaneConfig) -> dict[str, Any]:
    job: dict[str, Any] = template(lane)["job_configuration"]["job_manifest"]["spec"]
    return job


def defaults_of(lane: LaneConfig, *names: str) -> list[object]:
    variables = template(lane)["variables"]["properties"]
    return [variables[name]["default"] for name in names]


SIZES = ("cpu_request", "cpu_limit", "memory_request", "memory_limit")
POOL = KubernetesPool(
    image="registry.example/autoloader:1",
    namespace="data",
    service_account="loads",
    secrets=("ledger", "storage"),
    mounts={"/etc/autoloader/spark": "spark"},
    env={"TZ": "UTC"},
    node_selector={"disk": "fast"},
    tolerations=({"key": "big", "operator": "Exists"},),
    priority_class="low",
    deadline=timedelta(hours=2),
)


def test_a_high_memory_job_has_its_size_a_deadline_and_no_rights() -> None:
    lane = HighMemory(pool=POOL)
    job = job_of(lane)
    container = job["template"]["spec"]["containers"][0]

    assert defaults_of(lane, *SIZES) == ["8", "16", "32768Mi", "65536Mi"]
    assert defaults_of(lane, "finished_job_ttl", "backoff_limit") == [3600, 0]
    assert job["activeDeadlineSeconds"] == 7200
    assert container["resources"]["limits"] == {
        "cpu": "{{ cpu_limit }}", "memory": "{{ memory_limit }}", "ephemeral-storage": "22528Mi",
    }  # fmt: skip
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert job["template"]["spec"]["securityContext"]["runAsNonRoot"]
    assert not job["template"]["spec"]["automountServiceAccountToken"]


def test_a_job_is_what_the_pool_says() -> None:
    lane = HighMemory(pool=POOL)
    pod = job_of(lane)["template"]["spec"]
    container = pod["containers"][0]

    found = defaults_of(lane, "image", "image_pull_policy", "namespace", "service_account_name")
    assert found == ["registry.example/autoloader:1", "IfNotPresent", "data", "loads"]
    assert container["envFrom"] == [{"secretRef": {"name": "ledger"}}, {"secretRef": {"name": "storage"}}]
    assert {"name": "mount-0", "mountPath": "/etc/autoloader/spark", "readOnly": True} in container["volumeMounts"]
    assert {"name": "mount-0", "secret": {"secretName": "spark"}} in pod["volumes"]
    assert (pod["nodeSelector"], pod["priorityClassName"]) == ({"disk": "fast"}, "low")
    assert pod["tolerations"] == [{"key": "big", "operator": "Exists"}]
    assert environment(lane) == {"PREFECT_FLOW_RUN_EXECUTE_SIGTERM_BEHAVIOR": "crash", "TZ": "UTC"}


def test_prefect_s_worker_makes_a_job_of_it_that_is_ended_by_one_sigterm() -> None:
    """What the worker adds itself must neither replace our command nor our way to end."""
    lane = HighMemory(pool=POOL)
    ours = template(lane)
    variables = ours["variables"]["properties"]
    defaults = {name: one["default"] for name, one in variables.items() if one.get("default") is not None}
    told = {**defaults, "name": "a-run", "env": dict(environment(lane)), "cpu_limit": "4"}
    configuration = KubernetesWorkerJobConfiguration(**apply_values(ours["job_configuration"], told))

    configuration.prepare_for_flow_run(FlowRun(flow_id=uuid4(), name="a-run"))

    container = configuration.job_manifest["spec"]["template"]["spec"]["containers"][0]
    told = {one["name"]: one.get("value", one.get("valueFrom")) for one in container["env"]}
    assert (container["command"], container["args"]) == (["python"], ["-m", "prefect.engine"])
    assert told["PREFECT_FLOW_RUN_EXECUTE_SIGTERM_BEHAVIOR"] == "crash"
    assert told["AUTOLOADER_MEMORY"] == {"resourceFieldRef": {"resource": "requests.memory"}}
    assert container["resources"]["limits"]["cpu"] == "4"
    assert configuration.job_manifest["spec"]["backoffLimit"] == 0


def test_a_job_waits_for_its_admission_in_the_queue_that_the_pool_names() -> None:
    lane = HighMemory(pool=replaced(POOL, kueue=Kueue(queue="loads", priority_class="nightly")))
    ours = template(lane)
    told = {"name": "a-run", "labels": {"team": "sales"}, "namespace": "data"}
    configuration = KubernetesWorkerJobConfiguration(**apply_values(ours["job_configuration"], told))

    configuration.prepare_for_flow_run(FlowRun(flow_id=uuid4(), name="a-run"))

    job = configuration.job_manifest
    labels = {"kueue.x-k8s.io/queue-name": "loads", "kueue.x-k8s.io/priority-class": "nightly", "team": "sales"}
    assert job["spec"]["suspend"] is True
    assert job["metadata"]["labels"].items() >= labels.items()
    assert "prefect.io/flow-run-id" in job["metadata"]["labels"]


def test_a_job_without_a_queue_begins_at_once() -> None:
    assert "suspend" not in job_of(HighMemory(pool=POOL))


def test_a_queue_s_default_priority_is_not_named() -> None:
    lane = HighMemory(pool=replaced(POOL, kueue=Kueue(queue="loads")))

    labels = template(lane)["job_configuration"]["job_manifest"]["metadata"]["labels"]
    assert labels == {"kueue.x-k8s.io/queue-name": "loads"}


def replaced(pool: KubernetesPool, **changes: object) -> KubernetesPool:
    return KubernetesPool.model_validate(pool.model_dump() | changes)


def test_another_lane_in_kubernetes_has_a_size_of_its_own() -> None:
    assert defaults_of(LaneConfig(pool=POOL), *SIZES) == ["2", "4", "4096Mi", "8192Mi"]


def test_a_lane_in_kubernetes_needs_an_image() -> None:
    assert "names no image" in str(trouble(HighMemory()))
    assert trouble(HighMemory(pool=POOL)) is None


@pytest.mark.parametrize(
    ("spark", "env"),
    [
        (None, {}),
        ("connect", {"AUTOLOADER_SPARK": "connect"}),
        (
            {"conf": {"spark.master": "spark://a:7077"}},
            {"AUTOLOADER_SPARK": "embedded", "AUTOLOADER_SPARK_CONF": '{"spark.master": "spark://a:7077"}'},
        ),
    ],
)
def test_a_lane_s_choice_of_spark_comes_to_its_runs(spark: object, env: Mapping[str, str]) -> None:
    lane = LaneConfig.model_validate({"spark": spark})

    found = wanted_of(deployed("a.b")[0], lane)["job_variables"]["env"]

    assert {name: value for name, value in found.items() if name.startswith("AUTOLOADER_")} == env
