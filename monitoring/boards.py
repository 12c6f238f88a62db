"""What all dashboards have in common: the choice of an installation, the way to the others, what to ask next."""

from collections.abc import Sequence
from typing import TypeAlias

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models import dashboard as model

from monitoring.panels import DATASOURCE, Panel
from monitoring.queries import SECONDS_IN_LEDGER

Row: TypeAlias = tuple[str, Sequence[Panel]]  # its heading first

TAG = "autoloader"
PREFECT = "http://127.0.0.1:4200"  # of the compose file; another one is typed in, or set in an overlay

ASK = """
| you see | ask |
|---|---|
| a file, batch or request that is not in | `autoloader explain URI` (or its id): where it stands, why, what to do |
| all is slow | `autoloader status`: lanes, what waits, what failed last, what is away |
| a part that does not answer | `autoloader doctor`: looks at every part |

What the words mean: `docs/troubleshooting.md`; what each metric counts: `docs/metrics.md`.
"""


def board(
    name: str,
    title: str,
    about: str,
    rows: Sequence[Row],
    *,
    by_source: bool = False,
) -> build.Dashboard:
    """A dashboard with its rows of panels; `by_source` lets people choose a source."""
    made = (
        build.Dashboard(f"Autoloader / {title}")
        .uid(f"autoloader-{name}")
        .description(about)
        .tags([TAG])
        .time("now-3h", "now")
        .refresh("30s")
        .timezone("browser")
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .readonly()
        .link(
            build.DashboardLink("Dashboards")
            .type(model.DashboardLinkType.DASHBOARDS)
            .tags([TAG])
            .keep_time(True)
            .include_vars(True)
        )
        .link(build.DashboardLink("Prefect").type(model.DashboardLinkType.LINK).url("${prefect}").target_blank(True))
        .with_variable(build.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
        .with_variable(_labels("namespace", "Namespace", SECONDS_IN_LEDGER))
        .with_variable(_labels("job", "Job", f'{SECONDS_IN_LEDGER}{{namespace="$namespace"}}'))
    )
    if by_source:
        told = 'autoloader_objective_seconds{namespace="$namespace", job="$job"}'
        made.with_variable(_labels("source", "Source", told))
    made.with_variable(build.TextBoxVariable("prefect").label("Prefect's UI").default_value(PREFECT))
    for heading, panels in rows:
        made.with_row(build.Row(heading))
        for panel in panels:
            made.with_panel(panel.built())
    return made


def _labels(name: str, label: str, told: str) -> build.QueryVariable:
    query: dict[str, object] = {"query": f"label_values({told}, {name})", "refId": name}
    return (
        build.QueryVariable(name)
        .label(label)
        .datasource(DATASOURCE)
        .query(query)
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(model.VariableSort.ALPHABETICAL_ASC)
    )
