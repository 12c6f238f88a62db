"""`k8s/monitoring`: what Grafana's sidecar and Prometheus's operator find of us in a cluster."""

import json
import os
from pathlib import Path

import pytest
import yaml

from monitoring.files import ALERTS, BOARDS
from tests.kubernetes.manifests import MANIFESTS, built, built_from, of_kind
from tests.servers.tools import HAS_GO

pytestmark = [pytest.mark.integration, HAS_GO]

MOST_BYTES = 262_144  # that `kubectl apply` can write beside an object, as an annotation


def test_the_sidecar_finds_every_dashboard_in_one_map() -> None:
    maps = of_kind(built_from(MANIFESTS / "monitoring"), "ConfigMap")

    boards = maps["autoloader-dashboards"]
    assert boards["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert {json.loads(text)["uid"] for text in boards["data"].values()} == {f"autoloader-{name}" for name in BOARDS}
    assert maps["autoloader-alerts"]["data"]["alerts.yaml"] == ALERTS.read_text()
    assert all(len(json.dumps(one)) < MOST_BYTES for one in maps.values())


def test_the_operator_gets_the_same_alerts_and_scrapes_the_service_of_the_router() -> None:
    manifests = built_from(MANIFESTS / "monitoring" / "operator")
    [rule] = of_kind(manifests, "PrometheusRule").values()
    [monitor] = of_kind(manifests, "ServiceMonitor").values()
    service = of_kind(built("base"), "Service")["autoloader-router"]

    assert rule["spec"] == yaml.safe_load(ALERTS.read_text())
    assert service["metadata"]["labels"].items() >= monitor["spec"]["selector"]["matchLabels"].items()
    assert {one["port"] for one in monitor["spec"]["endpoints"]} == {one["name"] for one in service["spec"]["ports"]}


def test_an_overlay_takes_both_in(tmp_path: Path) -> None:
    folders = [MANIFESTS / name for name in ("monitoring", "monitoring/operator", "overlays/phase-2")]
    resources = [os.path.relpath(folder, tmp_path.resolve()) for folder in folders]
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump({"namespace": "seen", "resources": resources}))

    manifests = built_from(tmp_path)

    seen = of_kind(manifests, "ConfigMap", "PrometheusRule", "ServiceMonitor", "Deployment")
    assert {one["metadata"]["namespace"] for one in seen.values()} == {"seen"}
    assert {"autoloader-dashboards", "autoloader", "autoloader-router"} <= seen.keys()
