"""The alerts, as Prometheus's own tool reads and plays them."""

import subprocess
from pathlib import Path

import pytest
import yaml

from monitoring.files import ALERTS
from tests.servers.prometheus import HAS_PROMETHEUS, program

pytestmark = [pytest.mark.integration, HAS_PROMETHEUS]

CASES = [Path("tests/alerts/minutes.yaml"), Path("tests/alerts/days.yaml")]
NAMES = [rule["alert"] for rule in yaml.safe_load(ALERTS.read_text())["groups"][0]["rules"]]


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([program("promtool"), *arguments], capture_output=True, text=True, check=False)


def test_every_case_holds() -> None:
    told = promtool("test", "rules", *CASES)

    assert told.returncode == 0, told.stdout + told.stderr


def test_the_configuration_of_the_compose_file_is_read_with_its_rules(tmp_path: Path) -> None:
    (tmp_path / "alerts.yaml").write_text(ALERTS.read_text())
    (tmp_path / "prometheus.yml").write_text(Path("compose/prometheus.yml").read_text())

    told = promtool("check", "config", tmp_path / "prometheus.yml")

    assert told.returncode == 0, told.stdout + told.stderr
    assert f"{len(NAMES)} rules found" in told.stdout


@pytest.mark.parametrize("name", NAMES)
def test_an_alert_has_a_case_that_raises_it_and_one_that_does_not(name: str) -> None:
    """`promtool` holds both: an alert that is raised where a case names none fails it."""
    tests = [test for file in CASES for test in yaml.safe_load(file.read_text())["tests"]]
    cases = [case for test in tests for case in test["alert_rule_test"] if case["alertname"] == name]

    assert {bool(case["exp_alerts"]) for case in cases} == {True, False}


def test_a_case_that_does_not_hold_fails(tmp_path: Path) -> None:
    broken = CASES[0].read_text().replace("0+0x10", "1+0x10").replace("../../k8s", str(Path("k8s").resolve()))
    (tmp_path / "cases.yaml").write_text(broken)

    assert promtool("test", "rules", tmp_path / "cases.yaml").returncode != 0
