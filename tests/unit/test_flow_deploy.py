"""What is told to Prefect: automations that see our runs alone, and the Kubernetes template."""

from uuid import uuid4

from prefect.events import EventTrigger, Posture
from prefect.events.actions import CallWebhook

from flows.deploying.automations import automations
from flows.deploying.deployments import deployed
from flows.deploying.pools import pool_name
from flows.infrastructure.kubernetes import default_template, template
from schemas.config.lanes import HighMemory, LaneConfig, Pool


def test_the_automations_look_at_our_deployments_alone() -> None:
    deployment, webhook = uuid4(), uuid4()

    hint, gone = automations([deployment], webhook)

    for automation in (hint, gone):
        assert isinstance(automation.trigger, EventTrigger)
        assert f"prefect.deployment.{deployment}" in str(automation.trigger.match_related)
    assert isinstance(gone.trigger, EventTrigger)
    assert gone.trigger.posture is Posture.Proactive
    assert gone.trigger.for_each == {"prefect.resource.id"}


def test_every_value_in_the_webhooks_body_is_escaped() -> None:
    hint, _ = automations([uuid4()], uuid4())

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


def test_a_high_memory_job_has_its_size_a_deadline_and_no_rights() -> None:
    ours = template(HighMemory())

    names = ("cpu_request", "cpu_limit", "memory_request", "memory_limit")
    sizes = {name: ours["variables"]["properties"][name]["default"] for name in names}
    assert sizes == {
        "cpu_request": "8", "cpu_limit": "8", "memory_request": "32768Mi", "memory_limit": "32768Mi",
    }  # fmt: skip
    job = ours["job_configuration"]["job_manifest"]["spec"]
    assert job["activeDeadlineSeconds"] > 0
    pod = job["template"]["spec"]
    assert pod["containers"][0]["resources"]["limits"] == {"cpu": "{{ cpu_limit }}", "memory": "{{ memory_limit }}"}
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["containers"][0]["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_another_lane_in_kubernetes_has_no_size_of_high_memory_s() -> None:
    ours, plain = template(LaneConfig(pool=Pool(type="kubernetes"))), default_template()

    names = ("cpu_request", "cpu_limit", "memory_request", "memory_limit")
    assert [ours["variables"]["properties"][name] for name in names] == [
        plain["variables"]["properties"][name] for name in names
    ]
    assert ours["job_configuration"]["job_manifest"]["spec"]["template"]["spec"]["securityContext"]["runAsNonRoot"]
