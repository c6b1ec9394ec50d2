"""The explorer: accuracy, or anything else, against cost, with the front, what fails, and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dash_mantine_components as dmc
from costmodel.dashboard import download, figures
from costmodel.dashboard.catalogue import Catalogue, Item
from costmodel.dashboard.constraints import failure, parse
from costmodel.dashboard.pages.common import card, graph, metric_options, options, select, several, switch_of, table
from costmodel.dashboard.state import State as Link
from dash import Dash, Input, Output, State, dcc, html, no_update

from costmodel.errors import CostmodelError
from costmodel.plots.palette import METRICS, metric, show
from costmodel.plots.scatter import ScatterInfo, scatter

AXES = tuple(n for n in METRICS if n != "seconds_per_image")
#: The controls whose values choose what is shown, in the order of the callbacks' arguments.
CONTROLS = (
    "x",
    "y",
    "x-scale",
    "y-scale",
    "dataset",
    "evidence",
    "kind",
    "target",
    "family",
    "topology",
    "normaliser",
    "bits",
    "fit",
    "constraints",
    "colour",
    "bars",
    "theme",
)
#: Rows that the table shows at most.
ROWS = 400
COLUMNS = (
    {"field": "network", "minWidth": 190},
    {"field": "target", "minWidth": 150},
    {"field": "y", "headerName": "y"},
    {"field": "x", "headerName": "x"},
    {"field": "accuracy", "minWidth": 120},
    {"field": "state", "minWidth": 110},
    {"field": "why", "minWidth": 320},
)


def layout(catalogue: Catalogue, link: Link) -> Any:
    every = catalogue.values
    datasets = every("dataset")
    controls = [
        html.Div(
            [
                select("dataset", "Data set", options(datasets), link.one("data", datasets)),
                select("y", "Vertical axis", metric_options(AXES), link.one("y", AXES)),
                switch_of(
                    "y-scale", "Its scale", (("log", "log"), ("linear", "linear")), link.one("ys", ("log", "linear"))
                ),
                select("x", "Horizontal axis", metric_options(AXES), link.one("x", AXES)),
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
                            ],
                            className="row",
                        ),
                        table("designs", COLUMNS),
                    ),
                    dcc.Download(id="got"),
                ],
                className="main",
            ),
        ],
        className="page split",
    )


def choose(catalogue: Catalogue, c: dict[str, Any]) -> list[Item]:
    """The items that pass the filters. Where accuracy is not asked for, a design appears once."""
    wanted = {name: set(c[name] or ()) for name in ("kind", "target", "family", "topology", "normaliser", "bits")}
    wants_accuracy = "accuracy" in (c["x"], c["y"])
    of_network = metric(c["x"]).of_network and metric(c["y"]).of_network
    found, seen = [], set()
    for item in catalogue.items:
        if item.dataset != c["dataset"] or any(v and item.attribute(n) not in v for n, v in wanted.items()):
            continue
        if (c["fit"] == "fits" and item.design.misfit) or (c["fit"] == "not" and not item.design.misfit):
            continue
        if wants_accuracy and c["evidence"] != "all" and item.design.evidence != c["evidence"]:
            continue
        key: Any = (item.network if of_network else item.design.id, item.conditions if wants_accuracy else "")
        if key in seen:
            continue
        seen.add(key)
        found.append(item)
    return found


def build(catalogue: Catalogue, c: dict[str, Any]) -> tuple[ScatterInfo, list[Item]]:
    """The plot data of a choice of controls. Raises :class:`CostmodelError` for constraints that are none."""
    from dataclasses import replace

    bounds = parse(c["constraints"] or "")
    items = choose(catalogue, c)
    of_network = metric(c["x"]).of_network and metric(c["y"]).of_network
    designs = [
        replace(i.design, series=i.attribute(c["colour"]), label=i.network if of_network else i.design.label)
        for i in items
    ]

    def fails(design: Any) -> str:
        if design.misfit and c["fit"] != "not" and not of_network:
            return f"does not fit: {design.misfit}"
        return failure(design, bounds)

    return scatter(designs, c["x"], c["y"], fails), items


def say(info: ScatterInfo, items: Sequence[Item]) -> Any:
    """The figure in words: how many, the best, what is missing."""
    failing = sum(p.state == "failing" for p in info.points)
    words: list[Any] = [f"{len(info.points)} designs, {len(info.front)} on the front"]
    if failing:
        words.append(f", {failing} do not fit or fail a constraint")
    words.append(". ")
    best = info.best()
    if best is not None:
        words += [
            "Best that remains: ",
            html.Strong(best.label),
            f" ({info.y.title} {show(best.y.value, info.y.unit)}, {info.x.title} {show(best.x.value, info.x.unit)}). ",
        ]
    elif info.points:
        words.append("None meets every constraint. ")
    if info.left_out:
        lacking = sorted(
            {metric(n).title for i in items for n in (info.x.name, info.y.name) if n not in i.design.metrics}
        )
        words.append(f"{info.left_out} are not shown: {', '.join(lacking).lower()} is not known for them.")
    return words


def rows(info: ScatterInfo, items: Sequence[Item], brushed: Sequence[str]) -> list[dict[str, Any]]:
    """Rows of the table: the brushed designs, or the front where nothing is brushed."""
    conditions = {(i.design.id, i.design.evidence): (i.network, i.target, i.conditions) for i in items}
    chosen = set(brushed)
    shown = [p for p in info.points if p.id in chosen] if chosen else [info.points[i] for i in info.front]
    found = []
    for p in shown[:ROWS]:
        network, target, words = conditions[p.id, p.evidence]
        found.append(
            {
                "id": p.id,
                "network": network,
                "target": target,
                "state": p.state,
                "why": p.why,
                "y": show(p.y.value, info.y.unit),
                "x": show(p.x.value, info.x.unit),
                "accuracy": f"{p.evidence}{': ' + words if words else ''}" if p.evidence else "not known",
            }
        )
    return found


def brushed_ids(selected: Any) -> list[str]:
    """Ids of the designs in a selection, as the browser reports it; anything else is no selection."""
    points = selected.get("points", []) if isinstance(selected, dict) else []
    return [p["customdata"] for p in points if isinstance(p, dict) and isinstance(p.get("customdata"), str)]


def register(app: Dash, catalogue: Catalogue) -> None:
    inputs = [Input(name, "value") for name in CONTROLS]
    states = [State(name, "value") for name in CONTROLS]

    @app.callback(
        output=[
            Output("trade-off", "figure"),
            Output("summary", "children"),
            Output("constraints-said", "children"),
            Output("designs", "rowData"),
            Output("designs", "columnDefs"),
            Output("selection-said", "children"),
        ],
        inputs={"values": inputs, "selected": Input("trade-off", "selectedData")},
    )
    def draw(values: list[Any], selected: Any) -> Any:
        from dash import ctx

        c = dict(zip(CONTROLS, values, strict=True))
        theme = figures.theme_of(c["theme"])
        try:
            info, items = build(catalogue, c)
        except CostmodelError as error:
            return figures.message(str(error), theme), "", str(error), [], no_update, ""
        ids = brushed_ids(selected)
        listed = rows(info, items, ids)
        said = f"{len(listed)} selected" if ids else f"{len(listed)} on the front"
        columns = [dict(col) for col in COLUMNS]
        columns[2]["headerName"], columns[3]["headerName"] = info.y.title, info.x.title
        if set(ctx.triggered_prop_ids) == {"trade-off.selectedData"}:
            return no_update, no_update, no_update, listed, no_update, said
        series = catalogue.values(c["colour"])
        figure = figures.trade_off(
            info, theme, x_log=c["x-scale"] == "log", y_log=c["y-scale"] == "log", bars=c["bars"], series=series
        )
        meant = " and ".join(map(str, parse(c["constraints"] or "")))
        return figure, say(info, items), meant, listed, columns, said

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
        from dash import ctx

        c = dict(zip(CONTROLS, values, strict=True))
        info, items = build(catalogue, c)
        form = str(ctx.triggered_id).removeprefix("get-")
        if form in ("csv", "parquet"):
            return download.designs(info, items, brushed_ids(selected), form)
        return download.trade_off(info, form, c["x-scale"] == "log", c["y-scale"] == "log", c["bars"])

    @app.callback(
        Output("d-network", "value"),
        Output("d-target", "value"),
        Output("tabs", "value"),
        Input("trade-off", "clickData"),
        Input("designs", "cellClicked"),
        State("designs", "rowData"),
        prevent_initial_call=True,
    )
    def look_into(clicked: Any, cell: Any, listed: Any) -> Any:
        from dash import ctx

        if ctx.triggered_id == "trade-off":
            ids = brushed_ids(clicked)
        else:
            ids = [r["id"] for r in listed or [] if cell and str(cell.get("rowId")) == str(r.get("id"))]
        network, _, target = (ids[0] if ids else "").rpartition("@")
        if network not in catalogue.networks or target not in catalogue.targets:
            return no_update, no_update, no_update
        return network, target, "design"
