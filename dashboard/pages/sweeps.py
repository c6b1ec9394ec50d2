"""Sweeps: the density of all designs of a result folder, and above it the front of every network on every target."""

from __future__ import annotations

from typing import Any

from dash import ClientsideFunction, Dash, Input, Output, Patch, State, ctx, dcc, html, no_update
from dash.exceptions import PreventUpdate

from costmodel.dashboard import figures, members
from costmodel.dashboard.catalogue import Catalogue
from costmodel.dashboard.constraints import parse
from costmodel.dashboard.pages.common import (
    WRAPPED,
    card,
    constraints,
    graph,
    metric_options,
    number,
    options,
    select,
    several,
    switch_of,
    table,
    to_choices,
)
from costmodel.dashboard.state import State as Link
from costmodel.dashboard.state import opened
from costmodel.dashboard.sweeps import Sweep
from costmodel.errors import CostmodelError
from costmodel.metrics import METRICS, metric

COLUMNS = (
    {"field": "sweep", "width": 110, **WRAPPED},
    {"field": "network", "width": 150, **WRAPPED},
    {"field": "target", "width": 110, **WRAPPED},
    number("x", "x", 100),
    number("y", "y", 100),
    {"field": "accuracy", "headerName": "accuracy of", "width": 120, **WRAPPED},
    {"field": "settings", "flex": 1, "minWidth": 130, **WRAPPED},
    {"field": "command", "flex": 3, "minWidth": 260, "tooltipField": "command"},
)
#: Designs of a selection that are drawn one by one.
BRUSHED = 2000
SCALES = (("log", "log"), ("linear", "linear"))


def layout(sweeps: list[Sweep], link: Link) -> Any:
    """The page, with no more of the sweeps than their names: they are read when it is first looked at."""
    numbers = [str(i) for i in range(len(sweeps))]
    chosen = link.many("sweep", numbers, numbers[:1])
    x, y = ([n for n in [link.values[k]] if n in METRICS] for k in ("sx", "sy"))
    networks, targets = ([str(name)[:200] for name in link.values[k][:50]] for k in ("snet", "son"))
    data = [{"value": n, "label": f"{sweeps[int(n)].name} ({n})"} for n in numbers]
    of_axes = [
        several("sweep", "Result folders", data, chosen),
        select("s-y", "Vertical axis", metric_options(y), next(iter(y), None)),
        switch_of("s-y-scale", "Scale of the vertical axis", SCALES, link.one("sys", ("log", "linear"))),
        select("s-x", "Horizontal axis", metric_options(x), next(iter(x), None)),
        switch_of("s-x-scale", "Scale of the horizontal axis", SCALES, link.one("sxs", ("log", "linear"))),
    ]
    of_fronts = [
        several("s-network", "Fronts of networks", options(networks), networks),
        several("s-target", "Fronts of targets", options(targets), targets),
        constraints("s-where", link.values["swhere"], "Keeps members, as dragging along an axis does."),
    ]
    own = html.Div(
        [
            html.P("A sweep of your own: price a space with the first line, then open its folder with the second.",
                   className="hint"),
            html.Pre("costmodel explore SPACE.yaml -o results\ncostmodel dashboard --sweep results", tabIndex=0),
        ],
        className="group",
    )  # fmt: skip
    main = [
        to_choices("s-choices", "Folders, axes and fronts"),
        html.P("", id="s-summary", className="summary", role="status"),
        dcc.Store(id="s-ranges", data=[str(text)[:400] for text in link.values["drag"][:50]]),
        dcc.Store(id="s-shown"),
        dcc.Store(id="s-window", data=str(link.values["szoom"])[:200]),
        dcc.Store(id="s-box", data=str(link.values["sbox"])[:200]),
        graph("s-cloud", "Density of all designs of the sweep, with the fronts above", "taller"),
        html.P(
            "One front for each network and target, as they were explored; click a member to open its design. The "
            "density is that of the first folder, counted anew for every window zoomed to. Select with box or lasso, "
            "at the top right of the figure, to see designs and list members.",
            className="hint",
        ),
        card(
            "Members",
            html.Div(
                [
                    html.P("", id="s-brushed", className="muted", role="status"),
                    html.Button("Let go of the box", id="s-clear", className="link", type="button"),
                    html.Button("Let go of the ranges", id="s-free", className="link", type="button"),
                ],
                className="row",
            ),
            table("s-members", COLUMNS, opens=True),
            html.P("Enter or a click on a row opens its design; arrow keys go through the table, Tab leaves it.",
                   className="hint"),
            html.P("", id="s-opened", className="hint", role="status"),
        ),
        card(
            "All objectives",
            graph("s-parallel", "The listed members by all of their objectives, a line each", "tall"),
            html.P("The members that are listed above, a line each. Drag along an axis: table and figure keep what "
                   "lies within.", className="hint"),
        ),
    ]  # fmt: skip
    left = [html.Div(of_axes, className="group"), html.Div(of_fronts, className="group"), own]
    return html.Div(
        [html.Div(left, id="s-choices", className="controls"), html.Div(main, className="main")],
        className="page split",
    )


def defaults(sweeps: list[Sweep]) -> dict[str, Any]:
    """Axes where the link says nothing: of the first folder time across, and accuracy or else a cost along."""
    objectives = members.objectives(sweeps[:1])
    listed = [n for n in METRICS if n in objectives and n != "clock_Hz"] or objectives
    x = "seconds_per_image" if "seconds_per_image" in listed else listed[0] if listed else None
    y = next((n for n in listed if n != x), x)
    return {"sx": x, "sy": y}


def register(app: Dash, catalogue: Catalogue, sweeps: list[Sweep]) -> None:
    names = ("sweep", "s-x", "s-y", "s-x-scale", "s-y-scale", "s-network", "s-target")
    controls = [Input(n, "value") for n in names]

    @app.callback(
        output=[
            *(Output(name, prop) for name in ("s-x", "s-y") for prop in ("data", "value")),
            *(Output(name, prop) for name in ("s-network", "s-target") for prop in ("data", "value")),
            Output("keys", "data"),
        ],
        inputs=[
            Input("tabs", "value"),
            Input("keys", "id"),  # of a page that was just made: that its tab stays as it is would else end this call
            *(State(name, "value") for name in ("s-x", "s-y", "s-network", "s-target")),
            State("keys", "data"),
        ],
    )
    def read(tab: str, _: Any, x: Any, y: Any, networks: Any, targets: Any, keys: Any) -> Any:
        """What there is to choose from, once the page is looked at."""
        if tab != "sweeps":
            raise PreventUpdate
        axes, first = members.objectives(sweeps), defaults(sweeps)
        filled: list[Any] = []
        for value, standard in ((x, first["sx"]), (y, first["sy"])):
            filled += [metric_options(axes), value if value in axes else standard]
        for values, known in zip((networks, targets), members.names(sweeps), strict=True):
            filled += [options(known), [v for v in values or () if v in known]]
        return [*filled, {**keys, "defaults": keys["defaults"] | first}]

    # A figure also reports that it was resized. Were that an input of what draws it, a drawing under way would be given
    # up for the answer that nothing changes, and the figure stay empty.
    clientside: Any = app.clientside_callback
    clientside(
        ClientsideFunction("costmodel", "zoom"),
        Output("s-window", "data"),
        Input("s-cloud", "relayoutData"),
        *(State(n, "value") for n in ("s-x", "s-y", "s-x-scale", "s-y-scale")),
        State("s-window", "data"),
        prevent_initial_call=True,
    )
    clientside(
        ClientsideFunction("costmodel", "boxed"),
        Output("s-box", "data"),
        Input("s-cloud", "selectedData"),
        Input("s-clear", "n_clicks"),
        *(State(n, "value") for n in ("s-x", "s-y", "s-x-scale", "s-y-scale")),
        State("s-box", "data"),
        prevent_initial_call=True,
    )

    @app.callback(
        output=[Output("s-cloud", "figure"), Output("s-summary", "children")],
        inputs={
            "values": controls,
            "theme_name": Input("theme", "value"),
            "window": Input("s-window", "data"),
            "tab": Input("tabs", "value"),
            "box": State("s-box", "data"),
        },
    )
    def draw(values: list[Any], theme_name: str, window: Any, tab: str, box: Any) -> Any:
        if tab != "sweeps":  # drawn when it is looked at
            raise PreventUpdate
        chosen, x, y, x_scale, y_scale, networks, targets = values
        theme, x_log, y_log = figures.theme_of(theme_name), x_scale == "log", y_scale == "log"
        found = members.picked(sweeps, chosen)
        if not found:
            return figures.message("No sweep is chosen.", theme), ""
        first = found[0][1]
        try:
            if not first.objectives or not x or not y:
                return figures.message("These sweeps have no objectives.", theme), ""
            zoom, drawn = (members.zoom_of(text, (x, y, x_scale, y_scale)) for text in (window, box))
            info = members.counted(first, x, y, x_log, y_log, zoom)
            fronts = members.fronts(found, x, y, (networks or (), targets or ()))
        except CostmodelError as error:
            return figures.message(str(error), theme), str(error)
        brushed = first.inside(x, y, x_log, y_log, drawn, BRUSHED)[1:] if drawn is not None and info else ((), ())
        figure = figures.cloud(info, metric(x), metric(y), theme, fronts, x_log=x_log, y_log=y_log, brushed=brushed)
        if drawn is not None:
            sides = dict(zip(("x0", "x1", "y0", "y1"), drawn, strict=True))
            figure["layout"]["selections"] = [{"type": "rect", "xref": "x", "yref": "y", **sides}]
        if zoom is not None:
            figure["layout"]["xaxis"]["range"], figure["layout"]["yaxis"]["range"] = list(zoom[:2]), list(zoom[2:])
        words = []
        if info is not None:
            words += [f"{first.name}: {first.size:,} designs", f"{info.total:,} in this window"]
        elif first.parts:
            words += [f"{first.name}: {first.size:,} designs", "none has both metrics"]
        else:
            words.append(f"{first.name}: no cloud, since only fronts are kept")
        words.append(f"{sum(len(f[1]) for f in fronts):,} on {len(fronts)} front{'s' * (len(fronts) != 1)}")
        if first.broken:
            words.append(f"{first.broken} parts cannot be read and are left out")
        return figure, ", ".join(words) + "."

    @app.callback(
        Output("s-members", "rowData"),
        Output("s-members", "columnDefs"),
        Output("s-brushed", "children"),
        Output("s-where-said", "children"),
        Output("s-cloud", "figure", allow_duplicate=True),
        Output("s-parallel", "figure"),
        Input("s-box", "data"),
        *controls,
        Input("theme", "value"),
        Input("tabs", "value"),
        Input("s-where", "value"),
        State("s-ranges", "data"),
        prevent_initial_call="initial_duplicate",
    )
    def listed(text: Any, *values: Any) -> Any:
        chosen, x, y, x_scale, y_scale, networks, targets, theme_name, tab, where, dragged = values
        if tab != "sweeps" or not x or not y:  # these are read first
            raise PreventUpdate
        theme = figures.theme_of(theme_name)
        columns = [dict(column) for column in COLUMNS]
        columns[3]["headerName"], columns[4]["headerName"] = metric(x).title, metric(y).title
        found, figure = members.picked(sweeps, chosen), Patch()
        box, ranges = members.zoom_of(text, (x, y, x_scale, y_scale)), members.spans_of(dragged)
        try:
            bounds = parse(where or "")
            kept, said = _kept(found, x, y, box, (networks or (), targets or ()), bounds)
            shown = members.within(kept, ranges)
            rows, xs, ys = members.rows(shown, x, y), (), ()
            if box is not None and found:
                many, xs, ys = found[0][1].inside(x, y, x_scale == "log", y_scale == "log", box, BRUSHED)
                drawn = f", {len(xs):,} of them drawn" if many > len(xs) else ""
                said = f"{many:,} designs{drawn}, and {said}"
        except CostmodelError as error:
            return [], columns, "", str(error), no_update, figures.message(str(error), theme)
        said += _dragged(len(shown), ranges)
        meant = " and ".join(map(str, bounds))
        lines = figures.parallel([m for _, _, m in kept], theme, ranges)
        if set(ctx.triggered_prop_ids) != {"s-box.data"} or not found:
            return rows, columns, said, meant, no_update, lines  # the figure is drawn anew
        figure["data"][0]["x"], figure["data"][0]["y"] = list(xs), list(ys)
        return rows, columns, said, meant, figure, lines

    def _kept(found: Any, x: str, y: str, box: Any, only: Any, bounds: Any) -> tuple[list[Any], str]:
        """The members that are drawn as lines, and how many there are, in words."""
        kept = members.chosen(found, x, y, box, only, bounds)
        number = f"{len(kept):,} member{'s' * (len(kept) != 1)} of fronts"
        said = f"{number} {'is' if len(kept) == 1 else 'are'} selected" if box is not None else number
        first = f", the first {members.ROWS} listed" if len(kept) > members.ROWS else ""
        return kept[: members.ROWS], said + first

    def _dragged(number: int, ranges: Any) -> str:
        return f"; {number:,} of these lie within what was dragged." if ranges else "."

    clientside(
        ClientsideFunction("costmodel", "ranges"),
        Output("s-ranges", "data"),
        Input("s-parallel", "restyleData"),
        Input("s-free", "n_clicks"),
        State("s-parallel", "figure"),
        State("s-ranges", "data"),
        prevent_initial_call=True,
    )
    clientside(
        ClientsideFunction("costmodel", "highlight"),
        Output("s-shown", "data"),
        Input("s-members", "rowData"),
        Input("s-cloud", "figure"),
        State("s-ranges", "data"),
        State("s-where", "value"),
        prevent_initial_call=True,
    )

    @app.callback(
        Output("s-members", "rowData", allow_duplicate=True),
        Output("s-brushed", "children", allow_duplicate=True),
        Input("s-ranges", "data"),
        State("s-box", "data"),
        State("s-where", "value"),
        *(State(n, "value") for n in names),
        prevent_initial_call=True,
    )
    def linked(dragged: Any, text: Any, where: Any, *values: Any) -> Any:
        """The table holds what was dragged along the axes of the parallel coordinates; the figure follows the table."""
        chosen, x, y, x_scale, y_scale, networks, targets = values
        box, ranges = members.zoom_of(text, (x, y, x_scale, y_scale)), members.spans_of(dragged)
        try:
            found, only = members.picked(sweeps, chosen), (networks or (), targets or ())
            kept, said = _kept(found, x, y, box, only, parse(where or ""))
        except CostmodelError:
            raise PreventUpdate from None
        inside = members.within(kept, ranges)
        return members.rows(inside, x, y), said + _dragged(len(inside), ranges)

    @app.callback(Output("sweep", "error"), Input("sweep", "value"), State("theme", "value"))
    def check(chosen: Any, _: Any) -> Any:
        for _, sweep in members.picked(sweeps, chosen):
            try:
                sweep.objectives  # noqa: B018
            except CostmodelError as error:
                return str(error)
        return ""

    @app.callback(
        Output("went", "data", allow_duplicate=True),
        Output("s-opened", "children"),
        Output("s-cloud", "clickData"),
        Input("s-cloud", "clickData"),
        Input("s-members", "cellClicked"),
        State("s-members", "rowData"),
        State("written", "data"),
        prevent_initial_call=True,
    )
    def look_into(clicked: Any, cell: Any, rows_: Any, query: Any) -> Any:
        if ctx.triggered_id == "s-cloud":
            points = clicked.get("points", []) if isinstance(clicked, dict) else []
            ref = points[0].get("customdata") if points and isinstance(points[0], dict) else None
        else:
            row = str(cell.get("rowId")) if isinstance(cell, dict) else ""
            ref = rows_[int(row)]["ref"] if row.isdigit() and int(row) < len(rows_ or ()) else None
        if ref is None:
            raise PreventUpdate
        m = members.member_of(sweeps, ref)
        if m is None:
            return no_update, "This point is of a front of a part; its settings were not written.", None
        if m.network not in catalogue.networks or m.target not in (*catalogue.targets, *catalogue.uploaded):
            said = f"{m.network} on {m.target} is not here: start with costmodel dashboard --model {m.network}"
            return no_update, said, None
        search = opened(str(query or ""), m.network, m.target, members.settings_of(m))
        return {"search": "?" + search, "step": str(ref)}, "", None
