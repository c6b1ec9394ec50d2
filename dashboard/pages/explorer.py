"""The explorer: accuracy, or anything else, against cost, with the front, what fails, and why."""

from __future__ import annotations

from typing import Any

import dash_mantine_components as dmc
from dash import Dash, Input, Output, State, ctx, dcc, html, no_update

from costmodel.dashboard import download, figures
from costmodel.dashboard.catalogue import Catalogue
from costmodel.dashboard.constraints import parse
from costmodel.dashboard.pages import reporting
from costmodel.dashboard.pages.common import (
    WRAPPED,
    card,
    graph,
    metric_options,
    options,
    select,
    several,
    switch_of,
    table,
)
from costmodel.dashboard.selection import CONTROLS, brushed, build, ids_of, rows, say
from costmodel.dashboard.state import State as Link
from costmodel.errors import CostmodelError
from costmodel.metrics import METRICS

COLUMNS = (
    {"field": "network", "flex": 2, "minWidth": 150, **WRAPPED},
    {"field": "target", "flex": 1, "minWidth": 110, **WRAPPED},
    {"field": "y", "headerName": "y", "width": 96},
    {"field": "x", "headerName": "x", "width": 96},
    {"field": "accuracy", "flex": 2, "minWidth": 150, **WRAPPED},
    {"field": "state", "width": 92},
    {"field": "why", "flex": 3, "minWidth": 210, **WRAPPED},
)


def layout(catalogue: Catalogue, link: Link) -> Any:
    every, axes = catalogue.values, [name for name, m in METRICS.items() if m.headline or m.of_network]
    datasets = every("dataset")
    controls = [
        html.Div(
            [
                select("dataset", "Data set", options(datasets), link.one("data", datasets)),
                select("y", "Vertical axis", metric_options(axes), link.one("y", axes)),
                switch_of(
                    "y-scale", "Its scale", (("log", "log"), ("linear", "linear")), link.one("ys", ("log", "linear"))
                ),
                select("x", "Horizontal axis", metric_options(axes), link.one("x", axes)),
                switch_of(
                    "x-scale", "Its scale", (("log", "log"), ("linear", "linear")), link.one("xs", ("log", "linear"))
                ),
            ],
            className="group",
        ),
        html.Div(
            [
                dmc.TextInput(
                    id="constraints",
                    label="Constraints",
                    value=str(link.values["where"])[:300],
                    size="sm",
                    debounce=400,
                    placeholder="LUT <= 53200 and FPS >= 30",
                    inputProps={"spellCheck": "false"},
                ),
                html.P("", id="constraints-said", className="hint", role="status"),
                several("kind", "Kind of target", options(every("kind")), link.many("kind", every("kind"))),
                several("target", "Targets", options(every("target")), link.many("target", every("target"))),
                switch_of(
                    "fit",
                    "On the device",
                    (("all", "all"), ("fits", "fits"), ("not", "does not")),
                    link.one("fit", ("all", "fits", "not")),
                ),
            ],
            className="group",
        ),
        html.Div(
            [
                switch_of(
                    "evidence",
                    "Accuracy",
                    (("all", "all"), ("measured", "measured"), ("published", "published")),
                    link.one("evidence", ("all", "measured", "published")),
                ),
                several("family", "Family", options(every("family")), link.many("family", every("family"))),
                several("topology", "Topology", options(every("topology")), link.many("topology", every("topology"))),
                several(
                    "normaliser", "Normaliser", options(every("normaliser")), link.many("norm", every("normaliser"))
                ),
                several("bits", "Bits (weight, activation)", options(every("bits")), link.many("bits", every("bits"))),
            ],
            className="group",
        ),
        html.Div(
            [
                select(
                    "colour",
                    "Colour by",
                    options(("kind", "family", "normaliser", "topology", "bits", "target")),
                    link.one("colour", ("kind", "family", "normaliser", "topology", "bits", "target")),
                ),
                switch_of(
                    "bars",
                    "Intervals",
                    (("none", "none"), ("front", "front"), ("all", "all")),
                    link.one("bars", ("none", "front", "all")),
                ),
            ],
            className="group",
        ),
    ]
    return html.Div(
        [
            html.Details(
                [html.Summary("Axes, filters and constraints"), *controls],
                open=True,
                className="controls",
                id="controls",
            ),
            html.Div(
                [
                    html.P("", id="summary", className="summary", role="status"),
                    graph(
                        "trade-off", "Trade-off of the chosen metrics; the table below lists the same designs", "taller"
                    ),
                    html.P(
                        [
                            "Filled: accuracy measured here. Open: as published. Drag to select designs; click one to "
                            "look into it."
                        ],
                        className="hint",
                    ),
                    card(
                        "Selection",
                        html.Div(
                            [
                                html.Span("", id="selection-said", className="muted"),
                                dmc.Button("CSV", id="get-csv", variant="default", size="xs"),
                                dmc.Button("Parquet", id="get-parquet", variant="default", size="xs"),
                                dmc.Button("Figure as PDF", id="get-pdf", variant="default", size="xs"),
                                dmc.Button("SVG", id="get-svg", variant="default", size="xs"),
                                dmc.Button("PNG", id="get-png", variant="default", size="xs"),
                                reporting.button("x-report"),
                            ],
                            className="row",
                        ),
                        reporting.said("x-report"),
                        table("designs", COLUMNS),
                    ),
                    dcc.Download(id="got"),
                ],
                className="main",
            ),
        ],
        className="page split",
    )


def register(app: Dash, catalogue: Catalogue) -> None:
    inputs = [Input(name, "value") for name in CONTROLS]
    states = [State(name, "value") for name in CONTROLS]

    # What was brushed is no input of the figure: the answer would leave the figure as it is, and take the place of that
    # to a filter which is still under way.
    @app.callback(
        output=[
            Output("trade-off", "figure"),
            Output("summary", "children"),
            Output("constraints-said", "children"),
        ],
        inputs={"values": inputs},
    )
    def draw(values: list[Any]) -> Any:
        c = dict(zip(CONTROLS, values, strict=True))
        theme = figures.theme_of(c["theme"])
        try:
            info, items = build(catalogue, c)
        except CostmodelError as error:
            return figures.message(str(error), theme), "", str(error)
        series = catalogue.values(c["colour"])
        figure = figures.trade_off(
            info, theme, x_log=c["x-scale"] == "log", y_log=c["y-scale"] == "log", bars=c["bars"], series=series
        )
        return figure, say(info, items), " and ".join(map(str, parse(c["constraints"] or "")))

    @app.callback(
        output=[
            Output("designs", "rowData"),
            Output("designs", "columnDefs"),
            Output("selection-said", "children"),
        ],
        inputs={"values": inputs, "selected": Input("trade-off", "selectedData")},
    )
    def listed(values: list[Any], selected: Any) -> Any:
        try:
            info, items = build(catalogue, dict(zip(CONTROLS, values, strict=True)))
        except CostmodelError:
            return [], no_update, ""
        ids = brushed(info, selected)
        found = rows(info, items, ids)
        columns = [dict(col) for col in COLUMNS]
        columns[2]["headerName"], columns[3]["headerName"] = info.y.title, info.x.title
        return found, columns, f"{len(found)} selected" if ids else f"{len(found)} on the front"

    @app.callback(
        output=Output("got", "data"),
        inputs={
            "clicks": [Input(f"get-{kind}", "n_clicks") for kind in download.FORMATS],
            "values": states,
            "selected": State("trade-off", "selectedData"),
        },
        prevent_initial_call=True,
    )
    def get(clicks: list[Any], values: list[Any], selected: Any) -> Any:
        c = dict(zip(CONTROLS, values, strict=True))
        info, items = build(catalogue, c)
        form = str(ctx.triggered_id).removeprefix("get-")
        if form in ("csv", "parquet"):
            return download.designs(info, items, brushed(info, selected), form)
        return download.trade_off(info, form, c["x-scale"] == "log", c["y-scale"] == "log", c["bars"])

    def reported(selected: Any, *values: Any) -> list[str]:
        info, _ = build(catalogue, dict(zip(CONTROLS, values, strict=True)))
        return brushed(info, selected) or [info.points[i].id for i in info.front]

    reporting.register(app, catalogue, "x-report", [State("trade-off", "selectedData"), *states], reported)

    @app.callback(
        Output("d-network", "value"),
        Output("d-target", "value"),
        Output("tabs", "value"),
        Output("trade-off", "clickData"),
        Input("trade-off", "clickData"),
        Input("designs", "cellClicked"),
        State("designs", "rowData"),
        prevent_initial_call=True,
    )
    def look_into(clicked: Any, cell: Any, rows_: Any) -> Any:
        if ctx.triggered_id == "trade-off":
            ids = ids_of(clicked)
        else:
            row = str(cell.get("rowId")) if isinstance(cell, dict) else ""
            ids = [rows_[int(row)]["id"]] if row.isdigit() and int(row) < len(rows_ or ()) else []
        network, _, target = (ids[0] if ids else "").rpartition("@")
        if network not in catalogue.networks or target not in catalogue.targets:
            return no_update, no_update, no_update, no_update
        return network, target, "design", None  # forgotten, so that another click on the same point is one
