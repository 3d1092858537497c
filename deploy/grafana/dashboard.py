"""Writes the dashboard that Grafana provisions: `python -m deploy.grafana.dashboard`."""

import json
from pathlib import Path

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.builders import prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common, dashboard

from deploy.grafana.panels import ROWS, Panel, Query, Row

DASHBOARD = Path(__file__).with_name("dashboards") / "nlp.json"

_SOURCE = common.DataSourceRef(type_val="prometheus", uid="$datasource")
_COLUMNS = 24
_WIDTHS = {3: 8, 4: 6, 6: 8, 8: 6}
"""Columns of a panel, by the number of panels in its row."""
_NUMBER_HEIGHT, _GRAPH_HEIGHT = 4, 8


def build() -> dashboard.Dashboard:
    """Return the dashboard."""
    built = (
        builders.Dashboard("Streaming NLP")
        .uid("streaming-nlp")
        .description("A row for each stage of a record's way; docs/operations.md says what each alert means.")
        .tags(["nlp"])
        .timezone("browser")
        .time("now-1h", "now")
        .refresh("10s")
        .tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
        .with_variable(builders.DatasourceVariable("datasource").label("Data source").type("prometheus"))
        .with_variable(_worker_variable())
        .annotation(_alerts())
    )
    for row in ROWS:
        built = built.with_row(builders.Row(row.title))
        for panel in row.panels:
            built = built.with_panel(_panel(panel, row))
    return _numbered(built.build())


def _worker_variable() -> builders.QueryVariable:
    return (
        builders.QueryVariable("worker")
        .label("Worker")
        .datasource(_SOURCE)
        .query("label_values(nlp_ready, instance)")
        .refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(dashboard.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".+")
        .current(dashboard.VariableOption(text="All", value="$__all"))
    )


def _alerts() -> builders.AnnotationQuery:
    asked = 'ALERTS{alertname=~"Nlp.+", alertstate="firing"}'
    return builders.AnnotationQuery().name("Alerts").datasource(_SOURCE).enable(True).icon_color("red").expr(asked)


def _panel(panel: Panel, row: Row) -> stat.Panel | timeseries.Panel:
    drawn = _number(panel) if panel.is_number else _graph(panel)
    drawn = drawn.title(panel.title).description(panel.description).unit(panel.unit).datasource(_SOURCE)
    width = _COLUMNS // len(row.panels) if panel.is_number else _WIDTHS[len(row.panels)]
    drawn = drawn.span(width).height(_NUMBER_HEIGHT if panel.is_number else _GRAPH_HEIGHT)
    for name, query in zip("ABCDEF", panel.queries, strict=False):
        drawn = drawn.with_target(_query(query, name, panel))
    return drawn


def _number(panel: Panel) -> stat.Panel:
    reduced = common_builders.ReduceDataOptions().calcs(["lastNotNull"])
    return stat.Panel().reduce_options(reduced).thresholds(_thresholds(panel.limit)).color_scheme(_by_threshold())


def _graph(panel: Panel) -> timeseries.Panel:
    shown = common_builders.VizLegendOptions().show_legend(True).placement(common.LegendPlacement.BOTTOM)
    graph = timeseries.Panel().min(0).fill_opacity(8).show_points(common.VisibilityMode.NEVER)
    graph = graph.legend(shown.display_mode(common.LegendDisplayMode.LIST))
    graph = graph.tooltip(common_builders.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI))
    if panel.limit is None:
        return graph
    line = common_builders.GraphThresholdsStyleConfig().mode(common.GraphThresholdsStyleMode.DASHED)
    return graph.thresholds(_thresholds(panel.limit)).thresholds_style(line)


def _thresholds(limit: float | None) -> builders.ThresholdsConfig:
    steps = [dashboard.Threshold(color="green")]
    if limit is not None:
        steps.append(dashboard.Threshold(value=limit, color="red"))
    return builders.ThresholdsConfig().mode(dashboard.ThresholdsMode.ABSOLUTE).steps(steps)


def _by_threshold() -> builders.FieldColor:
    return builders.FieldColor().mode(dashboard.FieldColorModeId.THRESHOLDS)


def _query(query: Query, name: str, panel: Panel) -> prometheus.Dataquery:
    asked = prometheus.Dataquery().expr(query.expr).legend_format(query.legend).ref_id(name).datasource(_SOURCE)
    return asked.instant() if panel.is_number else asked.range()


def _numbered(built: dashboard.Dashboard) -> dashboard.Dashboard:
    # Grafana numbers panels without an id anew on every load, and links to a single panel would break.
    for number, panel in enumerate(built.panels or [], 1):
        panel.id_val = number
    return built


def render() -> str:
    """Return the dashboard's JSON as it lies in the file."""
    return json.dumps(build(), cls=JSONEncoder, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    DASHBOARD.write_text(render())
    print(DASHBOARD)
