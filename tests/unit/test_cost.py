"""What loads cost: measured runs times configured sizes."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from router.rules.cost import Amount, Cost, Costing, LaneCost, Spent, Work, for_programs, origins
from router.rules.pools import POD_MAKER
from schemas.config import Config
from schemas.config.lanes import Lane
from tests.builders import NOON, config
from tests.sizing import DOCUMENT, document

GIB = 1024**3
TEXT = """
version: 1
allow: ["s3://b/"]
lanes:
  default: {workers: 3, slots_per_worker: 5}
  high-memory: {workers: 2, pool: {type: %s}}
  priority: {workers: 2, slots_per_worker: 3, worker: {cpu: 1.5, memory: 3GiB}}
sources:
  orders: {id: orders-v1, from: {path: "s3://b/orders/"}, format: csv, into: {table: l.a.orders}}
  pinned:
    id: pinned-v1
    from: {path: "s3://b/pinned/"}
    format: csv
    into: {table: l.a.pinned}
    lane: {pin: high-memory, cpu: 12, memory: 48GiB}
"""
HYBRID = config(TEXT % "kubernetes")


def work(lane: Lane = "default", runs: int = 60, *, source_id: str = "orders-v1", **changes: Any) -> Work:
    """Runs of a minute each, that began ten seconds after they were submitted."""
    made = Work(lane, source_id, int(lane == "high-memory"), False, runs, 60 * runs, 10 * runs, 0)
    return replace(made, **changes)


def costing(*works: Work, hours: float = 10, of: Config = HYBRID, pod_start: float | None = None) -> Costing:
    return Costing(of, Spent(NOON, NOON + timedelta(hours=hours), works), pod_start)


def lane_of(cost: Cost, lane: Lane) -> LaneCost:
    return next(one for one in cost.lanes if one.lane == lane)


def test_workers_cost_the_same_whether_they_work_or_not() -> None:
    idle, busy = (lane_of(costing(*works).as_it_is(), "default") for works in ([], [work()]))

    assert idle.amount == busy.amount == Amount(3 * 2 * 10, 3 * 4 * 10)
    assert (idle.busy, busy.busy) == (0, 1 / (15 * 10))


def test_a_worker_is_as_big_as_it_is_configured() -> None:
    assert lane_of(costing().as_it_is(), "priority").amount == Amount(2 * 1.5 * 10, 2 * 3 * 10)


def test_a_pod_costs_its_size_from_its_submission_to_its_end_beside_those_who_make_it() -> None:
    found = lane_of(costing(work("high-memory", 36)).as_it_is(), "high-memory")

    pods = 36 * 70 / 3600
    assert found.amount.cpu_hours == pytest.approx(2 * 0.5 * 10 + 8 * pods)
    assert found.amount.gib_hours == pytest.approx(2 * 1 * 10 + 32 * pods)


@pytest.mark.parametrize(
    ("source_id", "size_class", "cpu"), [("orders-v1", 2, 16), ("pinned-v1", 1, 12), ("orders-v1", 7, 16)]
)
def test_a_pod_is_as_big_as_its_class_or_pin(source_id: str, size_class: int, cpu: int) -> None:
    big = work("high-memory", 36, source_id=source_id, size_class=size_class)

    found = lane_of(costing(big).as_it_is(), "high-memory").amount

    assert found.cpu_hours == pytest.approx(10 + cpu * 36 * 70 / 3600)


def test_in_pods_nobody_stands_but_who_makes_them_and_each_run_pays_the_start_that_was_measured() -> None:
    of = costing(work(), work("high-memory", 36))

    found = of.in_pods()

    assert (of.pod_start, of.pods_started) == (10, 36)
    assert lane_of(found, "default").amount.cpu_hours == pytest.approx(0.5 * 10 + 2 * 60 * 70 / 3600)
    assert lane_of(found, "high-memory").amount == lane_of(of.as_it_is(), "high-memory").amount


def test_a_start_that_was_not_measured_is_the_one_that_was_told() -> None:
    none, told = costing(work()), costing(work(), pod_start=30)

    assert (none.pod_start, told.pod_start) == (None, 30)
    assert lane_of(none.in_pods(), "default").amount.cpu_hours == pytest.approx(5 + 2 * 60 * 60 / 3600)
    assert lane_of(told.in_pods(), "default").amount.cpu_hours == pytest.approx(5 + 2 * 60 * 90 / 3600)
    assert any("not counted: --pod-start" in line for line in origins(none))


def test_what_is_told_of_a_pod_s_start_does_not_replace_what_was_measured() -> None:
    assert costing(work("high-memory"), pod_start=99).pod_start == 10


def test_a_lower_threshold_moves_what_is_between_to_pods() -> None:
    found = costing(work(runs=30), work(runs=6, is_between=True)).with_above(5 * GIB, "5GiB")

    assert [(one.lane, one.runs) for one in found.lanes] == [("default", 30), ("high-memory", 6), ("priority", 0)]
    assert lane_of(found, "high-memory").amount.cpu_hours == pytest.approx(10 + 8 * 6 * 60 / 3600)


def test_a_higher_threshold_moves_what_is_between_to_workers() -> None:
    found = costing(work("high-memory", 6, is_between=True)).with_above(20 * GIB, "20GiB")

    assert (lane_of(found, "default").runs, lane_of(found, "high-memory").amount.cpu_hours) == (6, 10)


@pytest.mark.parametrize("changes", [{"source_id": "pinned-v1"}, {"size_class": 2}, {"is_between": False}])
def test_what_no_threshold_has_decided_stays_where_it_is(changes: dict[str, Any]) -> None:
    big = work("high-memory", 6, **{"is_between": True, **changes})

    assert lane_of(costing(big).with_above(20 * GIB, "20GiB"), "high-memory").runs == 6


def test_connect_servers_are_counted_where_they_are_configured_and_not_beside_a_pod_for_every_run() -> None:
    with_size = config((TEXT % "kubernetes").replace("sources:", "spark_connect: {cpu: 4, memory: 16GiB}\nsources:"))
    counted, left_out = costing(of=with_size), costing()

    assert counted.as_it_is().connect == Amount(40, 160)
    assert counted.in_pods().connect is None
    assert counted.as_it_is().total == left_out.as_it_is().total + Amount(40, 160)
    assert any("Spark Connect" in line for line in origins(left_out))
    assert not any("Spark Connect" in line for line in origins(counted))


def test_where_all_lanes_have_workers_nothing_was_seen_of_pods() -> None:
    found = costing(work("high-memory"), of=config(TEXT % "process"))

    assert (found.pod_start, found.pods_started) == (None, 0)
    assert lane_of(found.as_it_is(), "high-memory").amount == Amount(2 * 8 * 10, 2 * 32 * 10)


def test_an_empty_ledger_costs_nothing() -> None:
    assert costing(hours=0).as_it_is().total == Amount(0, 0)


def test_a_program_is_told_all_of_it_under_its_keys() -> None:
    of = costing(work(unbegun=3))

    told = for_programs(of, [of.as_it_is()])

    assert list(told) == ["since", "until", "pod_start_seconds", "pods_started", "unbegun", "costs"]
    assert told["unbegun"] == 3
    assert "left out    3 attempts that nobody began" in origins(of)


def test_the_sizes_that_nobody_configured_are_those_of_the_manifests() -> None:
    worker = container("k8s/components/process-worker/pod.yaml")
    maker = container("k8s/base/worker-high-memory.yaml")
    stands = lane_of(costing().as_it_is(), "default").worker

    assert worker == {"cpu": f"{stands.cpu:g}", "memory": f"{stands.memory // GIB}Gi"}
    assert maker == {"cpu": f"{POD_MAKER.cpu * 1000:g}m", "memory": f"{POD_MAKER.memory // GIB}Gi"}


def test_the_tables_of_the_document_are_what_the_rule_says() -> None:
    assert DOCUMENT.read_text() == document(), "run python -m tests.sizing"


def container(path: str) -> dict[str, str]:
    """What the container of a Deployment asks for, but its disk."""
    deployment = [one for one in yaml.safe_load_all(Path(path).read_text()) if one["kind"] == "Deployment"][-1]
    asked = deployment["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"]
    return {name: asked[name] for name in ("cpu", "memory")}
