"""What KEDA is told in `k8s/overlays/phase-3`, held against Deployments, configuration and metrics."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from router.adapters.metrics import Metrics
from schemas.config.lanes import LANES
from tests.integration.test_manifests import lanes, limit
from tests.kubernetes.manifests import Manifest, built, of_kind, ours
from tests.servers.prometheus import HAS_PROMETHEUS, program
from tests.servers.tools import HAS_GO

pytestmark = [pytest.mark.integration, HAS_GO]

ROUTER = "autoloader-router"
WORKERS = {f"autoloader-worker-{lane}": lane for lane in LANES}


def scaled() -> dict[str, Manifest]:
    return {name: one["spec"] for name, one in of_kind(built("phase-3"), "ScaledObject").items()}


def trigger(scaling: Manifest) -> dict[str, str]:
    (only,) = scaling["triggers"]
    assert only["type"] == "prometheus"
    asked: dict[str, str] = only["metadata"]
    return asked


def test_what_is_scaled_says_itself_how_many_there_are_of_nothing() -> None:
    deployments = of_kind(built("phase-3"), "Deployment")

    assert {name for name, one in deployments.items() if "replicas" not in one["spec"]} == scaled().keys()
    assert all(one["scaleTargetRef"]["name"] == name for name, one in scaled().items())


def test_workers_go_to_zero_and_routers_never() -> None:
    least = {name: one["minReplicaCount"] for name, one in scaled().items()}

    assert least == {"autoloader-worker-default": 0, "autoloader-worker-priority": 0, ROUTER: 1}


def test_a_worker_is_wanted_for_as_many_runs_as_it_takes() -> None:
    pods, configured = ours(built("phase-3")), lanes(built("phase-3"))

    for name, scaling in scaled().items():
        if lane := WORKERS.get(name):
            asked = trigger(scaling)
            assert int(asked["threshold"]) == limit(pods[name])
            assert set(re.findall(r'lane="([\w-]+)"', asked["query"])) == {lane}
            assert configured.of(lane).follow_workers


def test_every_query_asks_for_metrics_that_there_are() -> None:
    known = {metric.name for metric in Metrics([]).registry.collect()}

    for scaling in scaled().values():
        named = set(re.findall(r"autoloader_\w+", trigger(scaling)["query"]))
        assert named
        assert named <= known


@HAS_PROMETHEUS
def test_what_begins_between_two_scrapes_is_wanted_once(tmp_path: Path) -> None:
    """One router was scraped before four runs were submitted, the other after it."""
    asked = [trigger(scaled()[name])["query"] for name in WORKERS if name in scaled()]
    told = {"before": {"in_flight": 0, "waiting": 4}, "after": {"in_flight": 4, "waiting": 0}}
    series = [
        {"series": f'autoloader_lane_{what}{{lane="{lane}", instance="{router}"}}', "values": str(count)}
        for lane in LANES
        for router, counts in told.items()
        for what, count in counts.items()
    ]
    expected = [{"expr": query, "eval_time": "0", "exp_samples": [{"labels": "{}", "value": 4}]} for query in asked]
    case = {"interval": "1m", "input_series": series, "promql_expr_test": expected}
    (tmp_path / "case.yaml").write_text(yaml.safe_dump({"tests": [case]}))

    found = subprocess.run(
        [program("promtool"), "test", "rules", tmp_path / "case.yaml"], capture_output=True, text=True, check=False
    )

    assert len(asked) == 2
    assert found.returncode == 0, found.stdout + found.stderr


def test_a_query_that_tells_nothing_scales_nothing() -> None:
    assert {trigger(scaling)["ignoreNullValues"] for scaling in scaled().values()} == {"false"}
