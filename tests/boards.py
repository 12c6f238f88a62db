"""The queries of the dashboards as they are checked in, with the variables that Grafana would fill in."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from monitoring.files import BOARDS, FOLDER


@dataclass(frozen=True, slots=True)
class Query:
    """What one legend of a panel asks."""

    board: str
    panel: str
    legend: str
    expr: str

    def asked(self, *, job: str = "router", source: str = ".*", over: str = "5m") -> str:
        """The query with its variables filled in; `over`: the time that is shown, and that of rates."""
        values: Mapping[str, str] = {
            "$namespace": "",
            "$job": job,
            "$source": source,
            "$__range": over,
            "$__rate_interval": over,
        }
        expr = self.expr
        for variable, value in values.items():
            expr = expr.replace(variable, value)
        assert "$" not in expr, expr
        return expr

    def __str__(self) -> str:
        return f"{self.board} / {self.panel} / {self.legend}"


def queries() -> Iterator[Query]:
    """Every query of every panel."""
    for board in BOARDS:
        for panel in json.loads((FOLDER / "dashboards" / f"{board}.json").read_text())["panels"]:
            for target in panel.get("targets", []):
                yield Query(board, panel["title"], target["legendFormat"], target["expr"])
