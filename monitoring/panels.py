"""How a number looks: its unit, what is too much of it, what it means, and where to go from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.builders import prometheus, stat, statetimeline, text, timeseries
from grafana_foundation_sdk.builders.common import (
    GraphThresholdsStyleConfig,
    ReduceDataOptions,
    StackingConfig,
    VizLegendOptions,
    VizTooltipOptions,
)
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.text import TextMode

DATASOURCE = common.DataSourceRef(type_val="prometheus", uid="${datasource}")
WIDTH, TALL, LOW = 24, 8, 4
CALM, WARN, ALARM = "green", "yellow", "red"
LINES_ACROSS = common.GraphThresholdsStyleMode.LINE


@dataclass(frozen=True, slots=True)
class Limits:
    """From which value on it is worth a look, and from which it needs one."""

    warn: float | None = None
    alarm: float | None = None

    def thresholds(self) -> build.ThresholdsConfig:
        """The same in Grafana's words: a colour from a value on."""
        steps = [model.Threshold(value=None, color=CALM)]
        steps += [model.Threshold(value=self.warn, color=WARN)] if self.warn is not None else []
        steps += [model.Threshold(value=self.alarm, color=ALARM)] if self.alarm is not None else []
        return build.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(steps)


NO_LIMITS = Limits()
ANY_IS_WRONG = Limits(alarm=1)


@dataclass(frozen=True, slots=True)
class Link:
    """Where a click on a value leads."""

    title: str
    url: str

    def built(self) -> build.DashboardLink:
        """The link, as Grafana takes it."""
        return build.DashboardLink(self.title).url(self.url).target_blank(True)


SOURCE_HERE = Link(
    "The source ${__field.labels.source}",
    "/d/autoloader-source?${__url_time_range}&${datasource:queryparam}&${namespace:queryparam}&${job:queryparam}"
    "&var-source=${__field.labels.source}",
)
RUNS_OF_SOURCE = Link("Its runs in Prefect", "${prefect}/runs?flow-run-search=${__field.labels.source}")
RUNS_OF_CHOSEN = Link("Its runs in Prefect", "${prefect}/runs?flow-run-search=${source}")
POOL_OF_LANE = Link("Its pool in Prefect", "${prefect}/work-pools/work-pool/autoloader-${__field.labels.lane}")
RUNS = Link("Runs in Prefect", "${prefect}/runs")


class Panel(Protocol):
    """A panel as it is told here, which can be made into one of Grafana's."""

    def built(self) -> Builder[model.Panel]:
        """Say the same in Grafana's words."""


@dataclass(frozen=True, slots=True)
class Number:
    """One number that stands just now, or of the time that is shown; `words` stand for single values."""

    title: str
    means: str
    expr: str
    unit: str = "short"
    limits: Limits = NO_LIMITS
    words: Mapping[str, str] = field(default_factory=dict)
    links: Sequence[Link] = ()
    width: int = 4
    is_of_shown_time: bool = False

    def built(self) -> stat.Panel:
        """Of the time that is shown there is one value, at its end, counted in whole things."""
        graph = common.BigValueGraphMode.NONE if self.is_of_shown_time else common.BigValueGraphMode.AREA
        named = {value: model.ValueMappingResult(text=word) for value, word in self.words.items()}
        panel = (
            stat.Panel()
            .title(self.title)
            .description(self.means)
            .datasource(DATASOURCE)
            .height(LOW)
            .span(self.width)
            .unit(self.unit)
            .thresholds(self.limits.thresholds())
            .mappings([model.ValueMap(options=named)] if named else [])
            .graph_mode(graph)
            .color_mode(common.BigValueColorMode.VALUE)
            .reduce_options(ReduceDataOptions().calcs(["lastNotNull"]))
            .no_value("no router tells")
            .data_links([link.built() for link in self.links])
            .with_target(_query(self.expr, "", is_instant=self.is_of_shown_time))
        )
        return panel.decimals(0) if self.is_of_shown_time and self.unit == "short" else panel


@dataclass(frozen=True, slots=True)
class Lines:
    """Numbers over time: queries by their legends."""

    title: str
    means: str
    exprs: Mapping[str, str]
    unit: str = "short"
    limits: Limits = NO_LIMITS
    links: Sequence[Link] = ()
    width: int = 8
    is_stacked: bool = False
    has_examples: bool = False

    def built(self) -> timeseries.Panel:
        """Limits are drawn as lines across."""
        at_limits = common.GraphThresholdsStyleMode.OFF if self.limits == NO_LIMITS else LINES_ACROSS
        stacking = common.StackingMode.NORMAL if self.is_stacked else common.StackingMode.NONE
        return (
            timeseries.Panel()
            .title(self.title)
            .description(self.means)
            .datasource(DATASOURCE)
            .height(TALL)
            .span(self.width)
            .unit(self.unit)
            .min(0)
            .thresholds(self.limits.thresholds())
            .thresholds_style(GraphThresholdsStyleConfig().mode(at_limits))
            .fill_opacity(20 if self.is_stacked else 5)
            .show_points(common.VisibilityMode.NEVER)
            .stacking(StackingConfig().mode(stacking))
            .legend(_legend_below())
            .tooltip(VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI).sort(common.SortOrder.DESCENDING))
            .data_links([link.built() for link in self.links])
            .targets(
                [
                    _query(expr, legend, f"Q{place}").exemplar(self.has_examples)
                    for place, (legend, expr) in enumerate(self.exprs.items())
                ]
            )
        )


@dataclass(frozen=True, slots=True)
class States:
    """States over time: what each value is called, and its colour."""

    title: str
    means: str
    expr: str
    legend: str
    words: Mapping[str, tuple[str, str]]
    width: int = 8

    def built(self) -> statetimeline.Panel:
        """A bar for each series."""
        named = {value: model.ValueMappingResult(text=word, color=color) for value, (word, color) in self.words.items()}
        return (
            statetimeline.Panel()
            .title(self.title)
            .description(self.means)
            .datasource(DATASOURCE)
            .height(TALL)
            .span(self.width)
            .mappings([model.ValueMap(options=named)])
            .with_target(_query(self.expr, self.legend))
        )


@dataclass(frozen=True, slots=True)
class Words:
    """Text for people, in Markdown."""

    title: str
    markdown: str

    def built(self) -> text.Panel:
        """Across the whole width."""
        return text.Panel().title(self.title).mode(TextMode.MARKDOWN).content(self.markdown).span(WIDTH).height(6)


def _legend_below() -> VizLegendOptions:
    below = VizLegendOptions().show_legend(True).placement(common.LegendPlacement.BOTTOM)
    return below.display_mode(common.LegendDisplayMode.LIST)


def _query(expr: str, legend: str, ref: str = "Q0", *, is_instant: bool = False) -> prometheus.Dataquery:
    query = prometheus.Dataquery().expr(expr).legend_format(legend).ref_id(ref).datasource(DATASOURCE)
    return query.instant() if is_instant else query.range()
