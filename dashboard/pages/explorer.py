"""The explorer: accuracy, or anything else, against cost, with an answer, the front, what fails, and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dash_mantine_components as dmc
from dash import ALL, ClientsideFunction, Dash, Input, Output, State, ctx, dcc, html, no_update

from costmodel.dashboard import download, figures
from costmodel.dashboard.answer import KINDS, answer, hidden_words, sentence, with_bounds
from costmodel.dashboard.catalogue import Catalogue
from costmodel.dashboard.constraints import parse
from costmodel.dashboard.figures.trade_off import Window, window_of
from costmodel.dashboard.items import Item
from costmodel.dashboard.pages import filters, reporting
from costmodel.dashboard.pages.common import (
    WRAPPED,
    card,
    graph,
    number,
    plain_table,
    switch_of,
    table,
    to_choices,
)
from costmodel.dashboard.selection import CONTROLS, brushed, build, hidden, ids_of, listed_keys, rows
from costmodel.dashboard.state import State as Link
from costmodel.dashboard.state import opened, read_design
from costmodel.errors import CostmodelError
from costmodel.metrics import metric
from costmodel.views.plots.scatter import ScatterInfo

COLUMNS = (
    {"field": "network", "flex": 2, "minWidth": 150, **WRAPPED},
    {"field": "target", "flex": 1, "minWidth": 110, **WRAPPED},
    {"field": "choices", "width": 110, **WRAPPED},
    number("y", "y"),
    number("x", "x"),
    {"field": "scope", "headerName": "energy of", "width": 100, **WRAPPED},
    {"field": "training", "width": 105, **WRAPPED},
    {"field": "accuracy", "headerName": "accuracy from", "flex": 2, "minWidth": 150, **WRAPPED},
    {"field": "state", "width": 100},
    {"field": "certainty", "width": 96},
    {"field": "left out", "flex": 2, "minWidth": 120, **WRAPPED},
    {"field": "why", "flex": 3, "minWidth": 210, **WRAPPED},
    {"field": "notes", "flex": 3, "minWidth": 210, **WRAPPED},
)
FORMS = {"csv": "CSV", "parquet": "Parquet", "pdf": "Figure as PDF", "svg": "SVG", "png": "PNG"}


def layout(catalogue: Catalogue, link: Link) -> Any:
    keys = [str(key)[:200] for key in link.values["sel"]]
    listing = link.one("list", ("front", "all"))
    selection = card(
        "Selection",
        html.Div(
            [
                html.Span("", id="selection-said", className="muted", role="status"),
                switch_of("listing", "Listed", (("front", "front"), ("all", "all shown")), listing),
                html.Button("Let go of the selection", id="x-clear", className="link", type="button"),
                *(dmc.Button(words, id=f"get-{form}", variant="default", size="xs") for form, words in FORMS.items()),
                reporting.button("x-report"),
            ],
            className="row",
        ),
        reporting.said("x-report"),
        table("designs", COLUMNS, opens=True),
        html.P(
            "Enter or a click on a row opens its design; arrow keys go through the table, Tab leaves it.",
            className="hint",
        ),
    )
    main = [
        to_choices("controls", "Axes, filters and constraints"),
        html.P("", id="summary", className="summary answer", role="status"),
        html.Div(id="answer"),
        html.P(id="pending", className="hint", role="status"),
        graph("trade-off", "Trade-off of the chosen metrics; the table below lists the same designs", "taller"),
        html.P(
            "Outlined and named: the front. Filled: accuracy measured here; open: published. Arrows: the true figure "
            "lies that way. Larger and outlined: yours. Drag to select designs; click one to look into it.",
            className="hint",
        ),
        html.Details([html.Summary("", id="hidden-said"), html.Div(id="hidden")], className="choices", id="hidden-box"),
        selection,
        dcc.Download(id="got"),
        dcc.Store(id="x-selected", data=keys),
        dcc.Store(id="x-zoom", data=str(link.values["zoom"])[:200]),
    ]
    controls = html.Details(
        [html.Summary("Axes, filters and constraints"), *filters.layout(catalogue, link)],
        open=True,
        className="controls",
        id="controls",
    )
    return html.Div([controls, html.Div(main, className="main")], className="page split")


def answer_table(info: ScatterInfo, items: list[Item]) -> Any:
    """The designs that answer, by kind of hardware; the name of each opens it."""
    shown = [
        (
            KINDS.get(row.kind, row.kind),
            ", ".join(row.roles),
            html.Button(
                row.point.label + (" (yours)" if row.point.design.own else ""),
                id={"type": "open", "key": row.point.key},
                className="plain",
                type="button",
            ),
            with_bounds(row.point, info.y, "y"),
            with_bounds(row.point, info.x, "x"),
            ", ".join(filter(None, (row.point.evidence, row.point.design.effort))),
            row.point.design.scope or "not known",
            _lacking(row.point.design.left_out),
        )
        for row in answer(info, items)
    ]
    head = ("hardware", "design", "network and target", info.y.title, info.x.title, "accuracy from", "energy of",
            "left out")  # fmt: skip
    caption = "The ends and the knee of the front of each kind of hardware"
    return plain_table(head, shown, caption, "compact") if shown else ""


def _lacking(left_out: Mapping[str, tuple[str, ...]]) -> Any:
    """What energy, area or time do not hold; the words are a click away, so that the table stays short."""
    notes = list(dict.fromkeys(note for why in left_out.values() for note in why))
    if not notes:
        return "none known"
    words = "; ".join(metric(name).head for name in left_out)
    return html.Details([html.Summary(f"incomplete: {words}"), html.Span("; ".join(notes))])


def zoomed(text: Any, c: dict[str, Any]) -> Window | None:
    """The window of a zoom (``x|y|scale|scale|x0,x1,y0,y1``), if it is one of these axes."""
    axes, _, window = str(text or "").rpartition("|")
    return window_of(window) if axes == "|".join((c["x"], c["y"], c["x-scale"], c["y-scale"])) else None


def register(app: Dash, catalogue: Catalogue) -> None:
    inputs = [Input(name, "value") for name in CONTROLS]
    states = [State(name, "value") for name in CONTROLS]
    zoom, chosen = State("x-zoom", "data"), State("x-selected", "data")

    # What was brushed is no input of the figure: the answer would leave the figure as it is, and take the place of that
    # to a filter which is still under way.
    @app.callback(
        output=[
            Output("trade-off", "figure"),
            Output("summary", "children"),
            Output("answer", "children"),
            Output("hidden-said", "children"),
            Output("hidden", "children"),
            Output("constraints-said", "children"),
        ],
        inputs={
            "values": inputs,
            "zoom": zoom,
            "chosen": chosen,
            "narrow": State("narrow", "data"),
            "_": Input("x-version", "data"),
        },
    )
    def draw(values: list[Any], zoom: Any, chosen: Any, narrow: Any, _: Any) -> Any:
        c = dict(zip(CONTROLS, values, strict=True))
        theme = figures.theme_of(c["theme"])
        try:
            info, items = build(catalogue, c)
        except CostmodelError as error:
            return figures.message(str(error), theme), "", "", "", "", str(error)
        figure = figures.trade_off(
            info,
            theme,
            x_log=c["x-scale"] == "log",
            y_log=c["y-scale"] == "log",
            bars=c["bars"],
            series=catalogue.values(c["colour"]),
            window=zoomed(zoom, c),
            selected=brushed(info, chosen or []),
            named=not narrow,
        )
        away = hidden(catalogue, c)
        number = sum(h.count for h in away)
        said = f"{number:,} designs are not in this figure: why" if number else "No design of this filter is left out."
        bounds = " and ".join(map(str, parse(c["constraints"] or "")))
        return (
            figure, sentence(info, answer(info, items), c["dataset"]), answer_table(info, items), said,
            html.Ul([html.Li(line) for line in hidden_words(away)]), bounds,
        )  # fmt: skip

    @app.callback(
        output=[
            Output("designs", "rowData"),
            Output("designs", "columnDefs"),
            Output("selection-said", "children"),
        ],
        inputs={
            "values": inputs,
            "selected": Input("x-selected", "data"),
            "listing": Input("listing", "value"),
            "_": Input("x-version", "data"),
        },
    )
    def listed(values: list[Any], selected: Any, listing: str, _: Any) -> Any:
        try:
            info, items = build(catalogue, dict(zip(CONTROLS, values, strict=True)))
        except CostmodelError:
            return [], no_update, ""
        keys, every = brushed(info, selected), listing == "all"
        found = rows(info, items, keys, every)
        number = len(listed_keys(info, keys, every))
        columns = [dict(col) for col in COLUMNS]
        columns[3]["headerName"], columns[4]["headerName"] = info.y.title, info.x.title
        words = "selected" if keys else "shown" if every else "on the front"
        first = f", the first {len(found)} listed" if number > len(found) else ""
        return found, columns, f"{number:,} {words}{first}"

    @app.callback(
        output=Output("got", "data"),
        inputs={
            "clicks": [Input(f"get-{kind}", "n_clicks") for kind in download.FORMATS],
            "values": states,
            "selected": chosen,
            "listing": State("listing", "value"),
            "zoom": zoom,
        },
        prevent_initial_call=True,
    )
    def get(clicks: list[Any], values: list[Any], selected: Any, listing: str, zoom: Any) -> Any:
        c = dict(zip(CONTROLS, values, strict=True))
        info, items = build(catalogue, c)
        form = str(ctx.triggered_id).removeprefix("get-")
        if form in ("csv", "parquet"):
            keys = listed_keys(info, brushed(info, selected), listing == "all")
            if not keys:
                raise CostmodelError("There is nothing to download: no design is on the front.")
            return download.designs(info, items, keys, form)
        log = (c["x-scale"] == "log", c["y-scale"] == "log")
        return download.trade_off(info, form, *log, c["bars"], catalogue.values(c["colour"]), zoomed(zoom, c))

    def reported(selected: Any, *values: Any) -> list[str]:
        info, _ = build(catalogue, dict(zip(CONTROLS, values, strict=True)))
        return [catalogue.design_of(key) for key in listed_keys(info, brushed(info, selected), False)]

    reporting.register(app, catalogue, "x-report", [chosen, *states], reported)

    clientside: Any = app.clientside_callback
    clientside(
        ClientsideFunction("costmodel", "select"),
        Output("x-selected", "data"),
        Input("trade-off", "selectedData"),
        Input("x-clear", "n_clicks"),
        State("x-selected", "data"),
        prevent_initial_call=True,
    )
    clientside(
        ClientsideFunction("costmodel", "zoom"),
        Output("x-zoom", "data"),
        Input("trade-off", "relayoutData"),
        State("x", "value"),
        State("y", "value"),
        State("x-scale", "value"),
        State("y-scale", "value"),
        State("x-zoom", "data"),
        prevent_initial_call=True,
    )

    @app.callback(
        Output("d-network", "value"),
        Output("d-target", "value"),
        Output("tabs", "value"),
        Output("trade-off", "clickData"),
        Output("went", "data", allow_duplicate=True),
        Input("trade-off", "clickData"),
        Input("designs", "cellClicked"),
        Input({"type": "open", "key": ALL}, "n_clicks"),
        State("designs", "rowData"),
        State("written", "data"),
        prevent_initial_call=True,
    )
    def look_into(clicked: Any, cell: Any, buttons: list[Any], rows_: Any, query: Any) -> Any:
        key = ""
        if ctx.triggered_id == "trade-off":
            key = (ids_of(clicked) or [""])[0]
        elif isinstance(ctx.triggered_id, dict):  # buttons that were just made were clicked no times
            key = ctx.triggered_id["key"] if any(buttons) else ""
        elif isinstance(cell, dict):
            row = str(cell.get("rowId"))
            key = rows_[int(row)]["key"] if row.isdigit() and int(row) < len(rows_ or ()) else ""
        network, target, settings, _ = read_design(catalogue.design_of(key))
        if network not in catalogue.networks or target not in (*catalogue.targets, *catalogue.uploaded):
            return (no_update,) * 5
        if settings:  # a member of a sweep: the page is opened with its choices
            search = opened(str(query or ""), network, target, [f"{k}={v}" for k, v in settings.items()])
            return no_update, no_update, no_update, None, {"search": "?" + search, "step": key}
        return network, target, "design", None, no_update  # forgotten: another click on the same point is one
