"""What people do to a system that works: they delete pods, restart everything, and move a lane to Kubernetes."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.e2e.site import csv, eventually
from tests.kubernetes.site import NAMESPACE, ClusterSite

pytestmark = [pytest.mark.integration, pytest.mark.node]

ROWS = 2
EVERY_SECONDS = 1.0


@contextmanager
def load(site: ClusterSite, name: str, source: str) -> Iterator[list[str]]:
    """Files that land one after the other, as long as this lasts; all that landed."""
    uris: list[str] = []
    is_over = threading.Event()

    def land() -> None:
        while not is_over.wait(EVERY_SECONDS):
            uri = site.write(source, f"{name}-{len(uris)}.csv", csv(ROWS, a=1, b="x"))
            site.announce(uri)
            uris.append(uri)

    thread = threading.Thread(target=land, daemon=True)
    thread.start()
    try:
        yield uris
    finally:
        is_over.set()
        thread.join()


def assert_all_are_loaded_once(site: ClusterSite, uris: list[str], table: str) -> None:
    def are_named() -> bool:
        told = site.completions_by_file()
        return all(uri in told for uri in uris)

    eventually(are_named, f"a completion event for each of {len(uris)} files", 300)
    told = site.completions_by_file()
    outcomes = {
        uri: [file["outcome"] for event in told[uri].values() for file in event["data"]["files"] if file["uri"] == uri]
        for uri in uris
    }
    assert outcomes == {uri: ["loaded"] for uri in uris}
    rows = site.rows_by_file(table)
    assert {uri: rows.get(uri, 0) for uri in uris} == dict.fromkeys(uris, ROWS)


def test_a_router_that_is_deleted_and_a_restart_of_everything_lose_nothing(site: ClusterSite) -> None:
    with load(site, "restart", "orders") as uris:
        site.kubectl(
            "delete",
            "-n",
            NAMESPACE,
            "--wait=false",
            *site.names("pods", "-l", "app.kubernetes.io/name=autoloader-router")[:1],
        )
        time.sleep(5)
        site.kubectl("rollout", "restart", "-n", NAMESPACE, "deployment")
        for name in site.names("deployment"):
            site.kubectl("rollout", "status", "-n", NAMESPACE, "--timeout=240s", name)

    assert_all_are_loaded_once(site, uris, "lake.try.orders")


def test_a_lane_moves_from_processes_to_kubernetes_under_load(site: ClusterSite) -> None:
    site.install("phase-1")
    with load(site, "moved", "small-jobs") as uris:
        time.sleep(10)
        site.install("test")
        time.sleep(10)

    assert_all_are_loaded_once(site, uris, "lake.try.small_jobs")
    lanes = site.ledger(
        "SELECT DISTINCT claimed_on FROM attempt JOIN batch ON id = batch_id WHERE source_id = 'small-jobs-v1'"
    )
    assert len(lanes) > 1
