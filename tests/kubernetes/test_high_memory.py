"""A Job of its own for each run of high-memory: how each ends in Prefect, in the ledger and in the completion event.

What waits for a minute, or fails and is loaded again, lands before the first test, each file in a source of its own; so
all of it waits at once, and the tests that look at it come later. Their order counts.
"""

from collections.abc import Mapping
from uuid import uuid4

import pytest

from tests.e2e.site import autoloader, csv, eventually
from tests.kubernetes.site import BIG_BYTES, NAMESPACE, TOLD, ClusterSite

pytestmark = [pytest.mark.integration, pytest.mark.node]

ROWS = 3
FILE = csv(ROWS, a=1, b="x")


@pytest.fixture(scope="module", autouse=True)
def waiting(site: ClusterSite) -> Mapping[str, str]:
    """The files that landed before the tests, by source. What is changed for one is changed back before its retry."""
    site.let_flows_fail()
    assert site.ended(landed(site, "first")).outcome == "loaded"  # and so there is a table in which to look for rows
    uris = {"giant": landed(site, "giant", "giant")}
    site.job_of(uris["giant"])
    with site.template() as job:
        context = job["template"]["spec"]["containers"][0].pop("securityContext")
    uris["refused"] = landed(site, "refused", "refused")
    site.job_of(uris["refused"])
    with site.template() as job:
        job["template"]["spec"]["containers"][0]["securityContext"] = context
    with site.runs_have(image="localhost/nowhere:1"):
        uris |= {name: landed(site, name, name) for name in ("cancelled", "image")}
        for name in ("cancelled", "image"):
            site.job_of(uris[name])
    with site.runs_have(env={"AUTOLOADER_TEST_EARLY": "1"}):
        uris["early"] = landed(site, "early", "early")
        site.job_of(uris["early"])
    return uris | {name: landed(site, name, name) for name in ("heap", "pod")}


def landed(site: ClusterSite, name: str, source: str = "jobs", text: str = FILE) -> str:
    uri = site.write(source, f"{name}-{uuid4().hex[:6]}.csv", text)
    site.announce(uri)
    return uri


def is_loaded_once(site: ClusterSite, uri: str, rows: int = ROWS, table: str = "lake.try.jobs") -> bool:
    return site.rows(table, uri) == rows and len(site.completions(uri)) == 1


def cancel(site: ClusterSite, uri: str) -> None:
    told = autoloader(site, "cancel", str(site.attempts(uri)[0]["batch_id"]), **TOLD)
    assert told.returncode == 0, told.stderr


def await_void(site: ClusterSite, uri: str) -> str:
    """The reason for which the file's first attempt is void."""
    eventually(lambda: site.attempts(uri)[0]["outcome"] == "void", f"the first attempt of {uri} is void", 240)
    return str(site.attempts(uri)[0]["reason"])


def assert_is_cancelled(site: ClusterSite, uri: str) -> None:
    run = site.run_of(uri)

    def is_gone() -> bool:
        return all(pod["status"]["phase"] in {"Succeeded", "Failed"} for pod in site.pods_of(run))

    eventually(is_gone, "its pod is gone", 60)
    ended = site.ended(uri)
    assert ended.outcome == "failed"
    assert ended.runs[0] in {"Cancelled", "Completed", "Crashed"}
    assert site.rows("lake.try.jobs", uri) == 0


def test_an_image_that_is_missing_is_named_while_it_lasts(site: ClusterSite, waiting: Mapping[str, str]) -> None:
    eventually(lambda: "ImagePullError" in site.explained(waiting["image"]), "explain names the missing image")
    eventually(lambda: 'diagnosis="ImagePullError"' in site.metrics(), "so does a metric")


def test_a_batch_that_is_cancelled_before_it_began_is_not_loaded(site: ClusterSite, waiting: Mapping[str, str]) -> None:
    cancel(site, waiting["cancelled"])

    assert_is_cancelled(site, waiting["cancelled"])


def test_a_batch_over_the_threshold_runs_in_a_pod_of_its_own(site: ClusterSite) -> None:
    rows = BIG_BYTES // 100
    with site.runs_have(env={"JDK_JAVA_OPTIONS": "-Xshare:on"}):  # Java ends if the image's class data does not fit
        uri = landed(site, "big", "orders", csv(rows, a=1, b="x" * 98))

        ended = site.ended(uri)

    assert (ended.outcome, ended.causes, ended.runs) == ("loaded", [None], ["Completed"])
    assert ended.batch["lane"] == "high-memory"
    run = str(ended.attempts[0]["run_id"])
    (pod,) = site.pods_of(run)
    assert pod["spec"]["containers"][0]["resources"]["requests"]["memory"] == "1Gi"
    eventually(lambda: [one["status"]["phase"] for one in site.pods_of(run)] == ["Succeeded"], "the pod has ended well")
    assert is_loaded_once(site, uri, rows, "lake.try.orders")


def test_a_flow_that_raises_fails_its_batch_with_its_own_words(site: ClusterSite) -> None:
    uri = landed(site, "reject")

    ended = site.ended(uri)

    assert (ended.outcome, ended.causes[0], ended.runs[0]) == ("failed", "wrong-data", "Failed")
    assert "boom" in ended.event["reason"]
    assert site.rows("lake.try.jobs", uri) == 0


@pytest.mark.parametrize("kind", ["heap", "pod", "early"])
def test_what_runs_out_of_memory_is_loaded_in_the_next_class(
    site: ClusterSite, waiting: Mapping[str, str], kind: str
) -> None:
    ended = site.ended(waiting[kind])

    assert (ended.outcome, ended.causes) == ("loaded", ["out-of-memory", None])
    assert [attempt["size_class"] for attempt in ended.attempts] == [1, 2]
    assert ended.runs[1] == "Completed"
    assert ended.runs[0] in {"Crashed", "Failed"}
    assert is_loaded_once(site, waiting[kind])


def test_what_no_node_has_room_for_is_void_after_its_deadline(site: ClusterSite, waiting: Mapping[str, str]) -> None:
    uri = waiting["giant"]

    assert "no node has so much room" in await_void(site, uri)

    eventually(lambda: not site.jobs_of(site.run_of(uri)), "its Job is gone", 60)
    cancel(site, uri)
    assert site.ended(uri).outcome == "failed"


def test_an_image_that_is_missing_is_given_up_and_what_it_was_to_load_is_loaded(
    site: ClusterSite, waiting: Mapping[str, str]
) -> None:
    uri = waiting["image"]

    assert "its image cannot be had" in await_void(site, uri)

    eventually(lambda: not site.jobs_of(site.run_of(uri)), "the Job of the void attempt is gone", 60)
    ended = site.ended(uri)
    assert (ended.outcome, ended.runs[0]) == ("loaded", "Cancelled")
    assert is_loaded_once(site, uri)


def test_a_template_that_pod_security_refuses_hangs_nothing(site: ClusterSite, waiting: Mapping[str, str]) -> None:
    ended = site.ended(waiting["refused"])

    assert (ended.outcome, ended.attempts[0]["outcome"]) == ("loaded", "void")
    assert is_loaded_once(site, waiting["refused"])


def delete_its_pod(site: ClusterSite, uri: str) -> None:
    (pod,) = site.pods_of(site.run_of(uri))
    site.kubectl("delete", "pod", "-n", NAMESPACE, pod["metadata"]["name"], "--grace-period=0", "--force")


def evict_its_pod(site: ClusterSite, uri: str) -> None:
    (pod,) = site.pods_of(site.run_of(uri))
    metadata = {"name": pod["metadata"]["name"], "namespace": NAMESPACE}
    site.evict({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata})


def delete_its_job(site: ClusterSite, uri: str) -> None:
    site.kubectl("delete", "-n", NAMESPACE, "--wait=false", *site.jobs_of(site.run_of(uri)))


TAKEN_AWAY = {"deleted": delete_its_pod, "evicted": evict_its_pod, "removed": delete_its_job, "stopped": cancel}


@pytest.fixture(scope="module")
def taken_away(site: ClusterSite) -> Mapping[str, str]:
    """Files whose pods are taken away while they load, each in its way, by source."""
    uris = {how: landed(site, "slow-300", how) for how in TAKEN_AWAY}
    for uri in uris.values():
        site.run_of(uri, claimed=True)
    for how, take in TAKEN_AWAY.items():
        take(site, uris[how])
    return uris


def test_a_batch_that_is_cancelled_while_it_loads_is_not_loaded(
    site: ClusterSite, taken_away: Mapping[str, str]
) -> None:
    assert_is_cancelled(site, taken_away["stopped"])


@pytest.mark.parametrize(
    ("how", "causes"),
    [
        ("deleted", {"infrastructure", "crash", "silent"}),
        ("evicted", {"infrastructure"}),
        ("removed", {"infrastructure", "crash"}),
    ],
)
def test_a_pod_that_is_taken_away_while_it_loads_is_loaded_once_by_another(
    site: ClusterSite, taken_away: Mapping[str, str], how: str, causes: set[str]
) -> None:
    uri = taken_away[how]

    ended = site.ended(uri)

    assert (ended.outcome, ended.causes[-1]) == ("loaded", None)
    assert ended.causes[0] in causes
    assert ended.runs[0] == "Crashed"
    assert len(site.jobs_of(site.run_of(uri))) == (0 if how == "removed" else 1)
    assert is_loaded_once(site, uri)


def test_a_worker_and_a_kubelet_that_crash_leave_runs_alone(site: ClusterSite) -> None:
    uri = landed(site, "slow-30")
    run = site.run_of(uri, claimed=True)
    worker = site.names("pods", "-l", "app.kubernetes.io/name=autoloader-worker-high-memory")[0]

    site.kubectl("delete", "-n", NAMESPACE, worker, "--grace-period=0", "--force")
    site.cluster.kill_kubelet()
    site.cluster.start_kubelet()

    assert site.state(run) == "Running"
    ended = site.ended(uri)
    assert (ended.outcome, ended.causes, ended.runs) == ("loaded", [None], ["Completed"])
    assert len(site.jobs_of(run)) == 1
    assert is_loaded_once(site, uri)


def test_a_pod_that_starts_after_its_attempt_was_void_does_nothing(site: ClusterSite) -> None:
    site.kubectl("cordon", "-l", "kubernetes.io/os=linux")
    try:
        uri = landed(site, "late")
        first = site.run_of(uri)
        eventually(lambda: bool(site.pods_of(first)), "its pod is made")
        eventually(lambda: "Unschedulable" in site.explained(uri), "explain says that no node takes it")
        site.scale("autoloader-worker-high-memory", 0)  # so that nobody deletes the pod
        await_void(site, uri)
    finally:
        site.kubectl("uncordon", "-l", "kubernetes.io/os=linux")
        eventually(
            lambda: site.pods_of(first)[0]["status"]["phase"] in {"Succeeded", "Failed"}, "the pod has ended", 240
        )
        site.scale("autoloader-worker-high-memory", 1)

    ended = site.ended(uri)

    assert ended.outcome == "loaded"
    assert ended.attempts[0]["claimed"] is None
    assert is_loaded_once(site, uri)
