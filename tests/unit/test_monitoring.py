"""Dashboards and alerts: what is checked in is what is made, and they ask for metrics that there are."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import Metric

from monitoring.files import ALERTS, BOARDS, FOLDER, made
from router.adapters.metrics import Metrics

DOCUMENTED = Path("docs/metrics.md").read_text()
TROUBLESHOOTING = Path("docs/troubleshooting.md").read_text()
RUNNING = Path("docs/running-in-production.md").read_text()
RULES = yaml.safe_load(ALERTS.read_text())["groups"][0]["rules"]
METRICS = {family.name: family for family in Metrics([]).registry.collect()}
# Of each router its own: they add up, or are looked at router by router.
OWNED = {"autoloader_consumer_lag_records", "autoloader_lease_held"}
ROUTER_BY_ROUTER = {"autoloader_stage_in_trouble", "autoloader_stage_progress_timestamp_seconds", *OWNED}


def panels() -> Iterator[tuple[str, Any]]:
    for name in BOARDS:
        for panel in json.loads((FOLDER / "dashboards" / f"{name}.json").read_text())["panels"]:
            if panel["type"] != "row":
                yield f"{name}: {panel['title']}", panel


PANELS = dict(panels())
EXPRS = [target["expr"] for panel in PANELS.values() for target in panel.get("targets", [])]
EVERY_EXPR = pytest.mark.parametrize("expr", [*dict.fromkeys(EXPRS), *(rule["expr"] for rule in RULES)])
WITH_QUERIES = pytest.mark.parametrize(
    "panel", [pytest.param(panel, id=name) for name, panel in PANELS.items() if panel["type"] != "text"]
)


def family(series: str) -> Metric | None:
    """The metric that a series in a query belongs to."""
    return METRICS.get(re.sub(r"_(total|bucket|sum|count)$", "", series)) or METRICS.get(series)


@pytest.mark.parametrize("path", made(), ids=lambda path: path.name)
def test_what_is_checked_in_is_what_is_made(path: Path) -> None:
    assert path.read_text() == made()[path], "write it anew by `python -m monitoring`"


def test_nothing_else_is_checked_in() -> None:
    assert {*FOLDER.rglob("*.json")} == {path for path in made() if path.suffix == ".json"}


def test_the_overlay_brings_every_dashboard() -> None:
    told = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())["configMapGenerator"][0]["files"]

    assert {FOLDER / file for file in told} == {*FOLDER.rglob("*.json")}


@EVERY_EXPR
def test_a_query_asks_for_metrics_that_are_told(expr: str) -> None:
    named = set(re.findall(r"autoloader_\w+", expr))

    assert named
    assert [series for series in named if family(series) is None] == []


@EVERY_EXPR
def test_what_stands_is_counted_once_and_what_happened_is_added_up(expr: str) -> None:
    """Each router tells of the same backlog: a sum of that would grow with the routers."""
    for match in re.finditer(r"autoloader_\w+", expr):
        kind, before = family(match[0]), expr[: match.start()].rstrip("(").rstrip()
        assert kind is not None
        if kind.type in {"counter", "histogram"}:
            assert re.search(r"(increase|rate)$", before), match[0]
        elif kind.name not in ROUTER_BY_ROUTER:
            assert re.search(r"(max( by \([\w, ]+\))?|count|absent)$", before), match[0]
        elif kind.name in OWNED:
            assert re.search(r"(sum|max)( by \([\w, ]+\))?$", before), match[0]


@EVERY_EXPR
def test_a_label_is_one_of_the_metric(expr: str) -> None:
    for series, labels in re.findall(r"(autoloader_\w+)\{(.*?)\}", expr):
        kind = family(series)
        used = set(re.findall(r'(\w+)(?:=|!=|=~|!~)"', labels)) - {"namespace", "job"}
        assert kind is not None
        assert used <= set(re.findall(r"`(\w+)`", row(kind.name, kind.type).split("|")[2])), series


def row(name: str, kind: str) -> str:
    """The metric's line in the documentation."""
    full = f"{name}_total" if kind == "counter" else name
    [found] = re.findall(rf"^\| `{full}` .*$", DOCUMENTED, flags=re.MULTILINE)
    return str(found)


@WITH_QUERIES
def test_a_panel_says_what_it_shows_in_which_unit_and_leads_on(panel: Any) -> None:
    defaults = panel["fieldConfig"]["defaults"]

    assert panel["title"]
    assert panel["targets"]
    assert panel["type"] == "state-timeline" or defaults["unit"]
    assert panel["type"] == "state-timeline" or defaults["thresholds"]["steps"][0] == {"color": "green", "value": None}
    assert all(link["url"].startswith(("${prefect}/", "/d/autoloader-")) for link in defaults.get("links", []))


def test_people_are_told_what_to_ask_next() -> None:
    told = [panel["options"]["content"] for panel in PANELS.values() if panel["type"] == "text"]

    assert len(told) == 2
    assert all("`autoloader explain URI`" in text for text in told)


def test_links_lead_to_dashboards_that_there_are() -> None:
    boards = {json.loads(text)["uid"] for path, text in made().items() if path.suffix == ".json"}
    linked = set(re.findall(r"/d/([\w-]+)", json.dumps([*PANELS.values()])))

    assert linked
    assert linked <= boards


def test_every_alert_has_its_section_and_no_section_is_left_over() -> None:
    sections = re.findall(r"^### (Autoloader\w+)$", TROUBLESHOOTING, flags=re.MULTILINE)

    assert sections == list(dict.fromkeys(rule["alert"] for rule in RULES))
    for rule in RULES:
        assert rule["annotations"]["runbook"] == f"docs/troubleshooting.md#{rule['alert'].lower()}"
        assert rule["labels"]["severity"] in {"warning", "critical"}


def test_every_dashboard_is_documented() -> None:
    titles = [json.loads(text)["title"] for path, text in made().items() if path.suffix == ".json"]

    assert [title for title in titles if f"| {title.removeprefix('Autoloader / ')} |" not in RUNNING] == []
