"""Workers that come and go with their lane's work, by what `k8s/overlays/phase-3` tells KEDA."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.e2e.site import csv, eventually, free_port
from tests.kubernetes.keda import Keda
from tests.kubernetes.site import NAMESPACE, ClusterSite
from tests.servers.prometheus import Prometheus, scraping

pytestmark = [pytest.mark.integration, pytest.mark.node]

DEFAULT = "autoloader-worker-default"
SLOTS = 'max(autoloader_lane_slots{lane="default"})'
WAVES = [f"wave-{number}" for number in range(6)]
HOURS = [(6, 30), (2, 20), (0, 30), (6, 20)]  # so many sources have files each second, for so many seconds
ROWS = 2


@pytest.fixture(scope="module")
def prometheus(site: ClusterSite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """One that scrapes each router's pod."""
    site.install()
    pods = site.kubectl.json("get", "pods", "-n", NAMESPACE, "-l", "app.kubernetes.io/name=autoloader-router")
    routers = [f"{pod['status']['podIP']}:8710" for pod in pods["items"]]
    with scraping(routers, tmp_path_factory.mktemp("prometheus"), free_port()) as prometheus:
        yield prometheus


@pytest.fixture
def keda(site: ClusterSite, prometheus: Prometheus) -> Iterator[Keda]:
    """KEDA, and afterwards a lane as it was."""
    yield Keda(site, prometheus, DEFAULT)
    site.scale(DEFAULT, 1)


def slots(prometheus: Prometheus) -> float | None:
    return next((value for _, value in prometheus.ask(SLOTS)), None)


def test_a_lane_goes_to_zero_submits_nothing_then_and_comes_back_for_one_file(
    site: ClusterSite, prometheus: Prometheus, keda: Keda
) -> None:
    eventually(lambda: keda.value() == 0, "nothing is in flight or waits")
    assert keda.look() == 0
    eventually(lambda: slots(prometheus) == 0, "the lane has no slots without workers", 180)
    uri = site.write("wave-0", "first.csv", csv(ROWS, a=1, b="x"))
    site.announce(uri)
    eventually(lambda: keda.value() == 1, "it is counted as what could have a run")
    assert "no worker of lane default is online" in site.explained(uri)
    assert site.attempts(uri) == []

    assert keda.look() == 1

    assert site.completion(uri, seconds=240)["outcome"] == "loaded"
    assert [attempt["outcome"] for attempt in site.attempts(uri)] == ["loaded"]


@contextmanager
def scaled(keda: Keda) -> Iterator[None]:
    is_over = threading.Event()
    thread = threading.Thread(target=keda.look_until, args=[is_over], daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def test_a_day_in_minutes_loses_nothing_and_ends_without_workers(
    site: ClusterSite, keda: Keda, record_property: Callable[[str, object], None]
) -> None:
    uris: list[str] = []
    begun = time.monotonic()
    with scaled(keda):
        for sources, seconds in HOURS:
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                for source in WAVES[:sources]:
                    uris.append(site.write(source, f"{len(uris)}.csv", csv(ROWS, a=1, b="x")))
                    site.announce(uris[-1])
                time.sleep(1)  # a second of the day, not a wait for anything
        eventually(lambda: all(uri in site.completions_by_file() for uri in uris), "every file is told of", 300)
        eventually(lambda: keda.wanted[-1][1] == 0, "no worker is wanted any more", 120)
    day, most = time.monotonic() - begun, max(replicas for _, replicas in keda.wanted)

    told = site.completions_by_file()
    assert {len(told[uri]) for uri in uris} == {1}
    loaded = {name: site.rows_by_file(f"lake.try.wave_{name[-1]}") for name in WAVES}
    assert {rows for of in loaded.values() for uri, rows in of.items() if uri in uris} == {ROWS}
    assert sum(uri in of for of in loaded.values() for uri in uris) == len(uris)
    assert most == 2  # six lines at once, five runs a worker
    assert keda.pod_seconds() < day * most
    outcomes = {attempt["outcome"] for uri in uris[-6:] for attempt in site.attempts(uri)}
    assert outcomes == {"loaded"}
    figures = f"{len(uris)} files in {day:.0f} s: {keda.pod_seconds():.0f} pod-seconds instead of {day * most:.0f}"
    record_property("figures", figures)
    print(figures)  # noqa: T201 - what it measures, which `pytest -rP` shows
