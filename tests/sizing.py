"""The tables of docs/sizing.md, reckoned from the configuration of `k8s/base` by the rule of `autoloader cost`.

`python -m tests.sizing` writes them anew.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from router.rules.cost import Cost, Costing, Spent, Work
from schemas.config import Config, parse_config
from schemas.config.lanes import Lane

ROOT = Path(__file__).resolve().parents[1]
DOCUMENT = ROOT / "docs" / "sizing.md"
MIDNIGHT = datetime(2026, 11, 27, tzinfo=UTC)
RUNS_AN_HOUR, HOURS = 100, 24
POD_START_SECONDS = 30.0
SMALL_SECONDS: Sequence[float] = (5, 15, 60, 120, 300)
BIG_AN_HOUR, BIG_SECONDS = 2, 1200.0
IMAGE: Mapping[str, str] = {"AUTOLOADER_IMAGE": "autoloader", "AUTOLOADER_NAMESPACE": "autoloader"}


def configured(name: str) -> Config:
    """The configuration of the manifests below that folder."""
    return parse_config((ROOT / "k8s" / name / "autoloader.yaml").read_text(), IMAGE)


def runs(lane: Lane, an_hour: int, seconds: float) -> Work:
    """A day of them; what has a pod in `k8s/base` began when that had started."""
    number = an_hour * HOURS
    start = POD_START_SECONDS * number if lane == "high-memory" else 0
    return Work(lane, "orders-v1", int(lane == "high-memory"), False, number, seconds * number, start, 0)


def costing(*work: Work, of: Config) -> Costing:
    """What such a day costs."""
    return Costing(of, Spent(MIDNIGHT, MIDNIGHT + timedelta(hours=HOURS), work), POD_START_SECONDS)


def small() -> Sequence[str]:
    """Small runs only, of some length: the lane default with its workers, and with a pod for each run."""
    base = configured("base")
    workers, slots = base.lanes.default.workers, base.lanes.default.slots
    lines = [
        f"| a run takes | of {slots} slots | {workers} workers | 1 worker | a pod for every run |",
        "|---|---|---|---|---|",
    ]
    for seconds in SMALL_SECONDS:
        of = costing(runs("default", RUNS_AN_HOUR, seconds), of=base)
        standing, pods = of.as_it_is().lanes[0], of.in_pods().lanes[0]
        one = standing.amount.cpu_hours / workers
        need = "" if standing.busy * workers <= 1 else ", which is too few"
        lines.append(
            f"| {seconds:g} s | {standing.busy:.0%} | {standing.amount.cpu_hours:.0f} | {one:.0f}{need} "
            f"| {pods.amount.cpu_hours:.0f} |"
        )
    return lines


def mixed() -> Sequence[str]:
    """Small runs and a few big ones: by lanes as in phase-2, with workers for all, and with a pod for all."""
    work = (
        runs("default", RUNS_AN_HOUR - BIG_AN_HOUR, SMALL_SECONDS[0]),
        runs("high-memory", BIG_AN_HOUR, BIG_SECONDS),
    )
    hybrid = costing(*work, of=configured("base"))
    rows: Sequence[tuple[str, Cost]] = (
        ("`phase-1`: workers for all", costing(*work, of=configured("overlays/phase-1")).as_it_is()),
        ("`phase-2`: workers, and pods for what is big", hybrid.as_it_is()),
        ("a pod for every run", hybrid.in_pods()),
    )
    lines = ["| | default | high-memory | priority | together | GiB-hours |", "|---|---|---|---|---|---|"]
    for name, cost in rows:
        lanes = " | ".join(f"{lane.amount.cpu_hours:.0f}" for lane in cost.lanes)
        lines.append(f"| {name} | {lanes} | {cost.total.cpu_hours:.0f} | {cost.total.gib_hours:.0f} |")
    return lines


def document() -> str:
    """The text of docs/sizing.md with these tables in the places of those that it has."""
    text = DOCUMENT.read_text()
    for table in (small(), mixed()):
        head = re.escape(table[0])
        text, found = re.subn(rf"^{head}\n(\|.*\n)+", "\n".join(table) + "\n", text, flags=re.MULTILINE)
        if found != 1:
            raise ValueError(f"{DOCUMENT.name} has {found} tables that begin with {table[0]}")
    return text


if __name__ == "__main__":
    DOCUMENT.write_text(document())
