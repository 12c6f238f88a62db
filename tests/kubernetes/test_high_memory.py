"""A Job of its own for each run of high-memory: how each ends in Prefect, in the ledger and in the completion event."""

import pytest

from tests.e2e.site import autoloader, csv, eventually
from tests.kubernetes.site import BIG_BYTES, NAMESPACE, TOLD, ClusterSite

pytestmark = [pytest.mark.integration, pytest.mark.node]

ROWS = 3
FILE = csv(ROWS, a=1, b="x")


@pytest.fixture(scope="module", autouse=True)
def _flows_may_fail(site: ClusterSite) -> None:
    site.let_flows_fail()
    assert site.ended(landed(site, "first")).outcome == "loaded"  # and so there is a table in which to look for rows


def landed(site: ClusterSite, name: str, source: str = "jobs", text: str = FILE) -> str:
    uri = site.write(source, f"{name}.csv", text)
    site.announce(uri)
    return uri


def is_loaded_once(site: ClusterSite, uri: str, rows: int = ROWS, table: str = "lake.try.jobs") -> bool:
    return site.rows(table, uri) == rows and len(site.completions(uri)) == 1


def test_a_batch_over_the_threshold_runs_in_a_pod_of_its_own(site: ClusterSite) -> None:
    rows = BIG_BYTES // 100
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
    uri = landed(site, "reject-1")

    ended = site.ended(uri)

    assert (ended.outcome, ended.causes[0], ended.runs[0]) == ("failed", "wrong-data", "Failed")
    assert "boom" in ended.event["reason"]
    assert site.rows("lake.try.jobs", uri) == 0


@pytest.mark.parametrize(("kind", "environ"), [("heap", {}), ("pod", {}), ("early", {"AUTOLOADER_TEST_EARLY": "1"})])
def test_what_runs_out_of_memory_is_loaded_in_the_next_class(
    site: ClusterSite, kind: str, environ: dict[str, str]
) -> None:
    with site.runs_have(env=environ):
        uri = landed(site, f"{kind}-1")
        ended = site.ended(uri)

    assert (ended.outcome, ended.causes) == ("loaded", ["out-of-memory", None])
    assert [attempt["size_class"] for attempt in ended.attempts] == [1, 2]
    assert ended.runs[1] == "Completed"
    assert ended.runs[0] in {"Crashed", "Failed"}
    assert is_loaded_once(site, uri)


def test_an_image_that_is_missing_is_named_while_it_lasts_and_then_given_up(site: ClusterSite) -> None:
    with site.runs_have(image="localhost/nowhere:1"):
        uri = landed(site, "image-1")
        first = site.run_of(uri)
        eventually(lambda: "ImagePullError" in site.explained(uri), "explain names the missing image")
        eventually(lambda: 'diagnosis="ImagePullError"' in site.metrics(), "so does a metric")

    ended = site.ended(uri)

    assert (ended.outcome, ended.attempts[0]["outcome"]) == ("loaded", "void")
    assert "its image cannot be had" in str(ended.attempts[0]["reason"])
    eventually(lambda: not site.jobs_of(first), "the Job of the void attempt is gone", 60)
    assert ended.runs[0] == "Cancelled"
    assert is_loaded_once(site, uri)


def test_a_pod_that_starts_after_its_attempt_was_void_does_nothing(site: ClusterSite) -> None:
    site.kubectl("cordon", "-l", "kubernetes.io/os=linux")
    try:
        uri = landed(site, "late-1")
        first = site.run_of(uri)
        eventually(lambda: bool(site.pods_of(first)), "its pod is made")
        eventually(lambda: "Unschedulable" in site.explained(uri), "explain says that no node takes it")
        site.scale("autoloader-worker-high-memory", 0)  # so that nobody deletes the pod
        eventually(lambda: site.attempts(uri)[0]["outcome"] == "void", "the attempt is void", 180)
    finally:
        site.kubectl("uncordon", "-l", "kubernetes.io/os=linux")
        eventually(
            lambda: site.pods_of(first)[0]["status"]["phase"] in {"Succeeded", "Failed"}, "the pod has ended", 180
        )
        site.scale("autoloader-worker-high-memory", 1)

    ended = site.ended(uri)

    assert ended.outcome == "loaded"
    assert ended.attempts[0]["claimed"] is None
    assert is_loaded_once(site, uri)


def test_what_no_node_has_room_for_is_void_after_its_deadline(site: ClusterSite) -> None:
    uri = landed(site, "giant", "giants")
    first = site.run_of(uri)
    eventually(lambda: site.attempts(uri)[0]["outcome"] == "void", "the attempt is void", 180)

    assert "no node has so much room" in str(site.attempts(uri)[0]["reason"])
    eventually(lambda: not site.jobs_of(first), "its Job is gone", 60)
    assert autoloader(site, "cancel", str(site.attempts(uri)[0]["batch_id"])).returncode == 0
    assert site.ended(uri).outcome == "failed"


@pytest.mark.parametrize("how", ["deleted", "evicted"])
def test_a_pod_that_is_taken_away_while_it_loads_is_loaded_once_by_another(site: ClusterSite, how: str) -> None:
    with site.runs_have(env={"AUTOLOADER_TEST_SECONDS": "300"}):
        uri = landed(site, f"slow-{how}")
        first = site.run_of(uri, claimed=True)
    (pod,) = site.pods_of(first)
    name = pod["metadata"]["name"]

    if how == "evicted":
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": NAMESPACE}}
        site.evict(eviction)
    else:
        site.kubectl("delete", "pod", "-n", NAMESPACE, name, "--grace-period=0", "--force")
    with site.runs_have(env={"AUTOLOADER_TEST_SECONDS": "0"}):
        ended = site.ended(uri)

    assert (ended.outcome, ended.causes[-1]) == ("loaded", None)
    assert ended.causes[0] in ({"infrastructure"} if how == "evicted" else {"infrastructure", "crash", "silent"})
    assert ended.runs[0] == "Crashed"
    assert len(site.jobs_of(first)) == 1
    assert is_loaded_once(site, uri)


def test_a_worker_and_a_kubelet_that_crash_leave_runs_alone(site: ClusterSite) -> None:
    with site.runs_have(env={"AUTOLOADER_TEST_SECONDS": "45"}):
        uri = landed(site, "slow-crashes")
        run = site.run_of(uri, claimed=True)
    worker = site.names("pods", "-l", "app.kubernetes.io/name=autoloader-worker-high-memory")[0]

    site.kubectl("delete", "-n", NAMESPACE, worker, "--grace-period=0", "--force")
    site.cluster.kill_kubelet()
    site.cluster.start_kubelet()

    ended = site.ended(uri)
    assert (ended.outcome, ended.causes, ended.runs) == ("loaded", [None], ["Completed"])
    assert len(site.jobs_of(run)) == 1
    assert is_loaded_once(site, uri)


@pytest.mark.parametrize("when", ["pending", "running"])
def test_a_cancelled_batch_is_not_loaded_and_its_pod_is_gone_within_a_minute(site: ClusterSite, when: str) -> None:
    variables = {"image": "localhost/nowhere:1"} if when == "pending" else {}
    with site.runs_have(env={"AUTOLOADER_TEST_SECONDS": "300"}, **variables):
        uri = landed(site, f"slow-cancelled-{when}")
        run = site.run_of(uri, claimed=when == "running")
        eventually(lambda: bool(site.pods_of(run)), "its pod is made")
        told = autoloader(site, "cancel", str(site.attempts(uri)[0]["batch_id"]), **TOLD)
        assert told.returncode == 0, told.stderr

    def is_gone() -> bool:
        return all(pod["status"]["phase"] in {"Succeeded", "Failed"} for pod in site.pods_of(run))

    eventually(is_gone, "its pod is gone", 60)
    with site.runs_have(env={"AUTOLOADER_TEST_SECONDS": "0"}):
        ended = site.ended(uri)
    assert ended.outcome == "failed"
    assert ended.runs[0] in {"Cancelled", "Completed", "Crashed"}
    assert site.rows("lake.try.jobs", uri) == 0


def test_a_template_that_pod_security_refuses_hangs_nothing(site: ClusterSite) -> None:
    with site.template() as job:
        context = job["template"]["spec"]["containers"][0].pop("securityContext")
    uri = landed(site, "refused-1")
    eventually(lambda: site.attempts(uri) and site.attempts(uri)[0]["outcome"] == "void", "the attempt is void", 180)
    with site.template() as job:
        job["template"]["spec"]["containers"][0]["securityContext"] = context

    ended = site.ended(uri)

    assert ended.outcome == "loaded"
    assert is_loaded_once(site, uri)
