"""What is written where: each file below `k8s/monitoring`, and the program that makes it."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import indent

from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder

from monitoring.lanes import lanes
from monitoring.overview import overview
from monitoring.router import router
from monitoring.source import source

FOLDER = Path(__file__).resolve().parent.parent / "k8s" / "monitoring"
BOARDS: Mapping[str, Callable[[], Dashboard]] = {
    "overview": overview,
    "source": source,
    "router": router,
    "lanes": lanes,
}


ALERTS = FOLDER / "alerts.yaml"
RULE = """# Made of ../alerts.yaml by `python -m monitoring`.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata: {name: autoloader}
spec:
"""


def made() -> Mapping[Path, str]:
    """Build the text of every file: one for each dashboard, and the alerts as the operator takes them."""
    boards = {FOLDER / "dashboards" / f"{name}.json": _text(build()) for name, build in BOARDS.items()}
    return {**boards, FOLDER / "operator" / "prometheus-rule.yaml": RULE + indent(ALERTS.read_text(), "  ")}


def _text(board: Dashboard) -> str:
    return json.dumps(board.build(), cls=JSONEncoder, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
