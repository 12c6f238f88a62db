"""Jobs that stand in a queue for their quota: none is void for that, none holds a slot, and explain says so."""

import time
from collections.abc import Iterator
from datetime import timedelta
from uuid import uuid4

import pytest

from tests.e2e.site import csv, eventually
from tests.kubernetes.kueue import NO_QUOTA, PRIORITY, QUEUE, Kueue
from tests.kubernetes.site import NAMESPACE, ClusterSite

pytestmark = [pytest.mark.integration, pytest.mark.node]

ROWS = 3
DEADLINE = timedelta(minutes=1)  # start_deadline in overlays/kueue


@pytest.fixture(scope="module")
def kueue(site: ClusterSite) -> Iterator[Kueue]:
    """A queue, and afterwards a lane without one."""
    kueue = Kueue(site)
    site.install("kueue")
    yield kueue
    site.install()


def landed(site: ClusterSite, source: str, name: str = "queued") -> str:
    uri = site.write(source, f"{name}-{uuid4().hex[:6]}.csv", csv(ROWS, a=1, b="x"))
    site.announce(uri)
    return uri


def waits(site: ClusterSite, uri: str) -> bool:
    return site.attempts(uri)[0]["queued"] is not None


def explained(site: ClusterSite, uri: str) -> str:
    """What a person is told who asks in a router's pod."""
    command = ("exec", "-n", NAMESPACE, "deploy/autoloader-router", "--", "autoloader", "explain", uri)
    return site.kubectl(*command, check=False)


def test_a_job_waits_for_its_quota_without_a_slot_and_begins_when_it_is_admitted(
    site: ClusterSite, kueue: Kueue
) -> None:
    first = landed(site, "jobs")
    run = site.job_of(first)
    kueue.queue(run)
    labels = kueue.job_of(run)["metadata"]["labels"]
    assert (labels[QUEUE], labels[PRIORITY]) == ("loads", "nightly")
    eventually(lambda: waits(site, first), "the router knows that it waits")
    second = landed(site, "heap")  # the lane has one slot
    assert site.job_of(second) != run
    kueue.queue(site.run_of(second))
    eventually(lambda: waits(site, second), "so does the second")

    time.sleep((DEADLINE * 1.5).total_seconds())  # that nothing happens has no condition to wait for

    assert [len(site.attempts(uri)) for uri in (first, second)] == [1, 1]
    told = explained(site, first)
    assert "has waited for its quota in Kueue" in told
    assert NO_QUOTA in told
    assert 'autoloader_runs_held_up{diagnosis="Quota",lane="high-memory"} 2' in site.metrics()
    for uri in (second, first):
        kueue.admit(site.run_of(uri))
    for uri in (second, first):
        ended = site.ended(uri)
        assert (ended.outcome, ended.causes, ended.runs) == ("loaded", [None], ["Completed"])
        assert site.rows("lake.try.jobs", uri) == ROWS


def test_what_is_preempted_while_it_loads_is_loaded_once_by_another_job(site: ClusterSite, kueue: Kueue) -> None:
    site.let_flows_fail()
    uri = landed(site, "pod", "slow-300")
    run = site.job_of(uri)
    kueue.queue(run)
    kueue.admit(run)
    site.run_of(uri, claimed=True)

    kueue.preempt(run)
    again = site.run_of(uri, n=2)
    eventually(lambda: bool(site.jobs_of(again)), "a Job for the next attempt")
    kueue.queue(again)
    kueue.admit(again)

    ended = site.ended(uri)
    assert (ended.outcome, ended.causes) == ("loaded", ["infrastructure", None])
    eventually(lambda: not site.jobs_of(run), "its first Job stands in the queue no more", 240)
    assert site.rows("lake.try.jobs", uri) == ROWS
    assert len(site.completions(uri)) == 1
