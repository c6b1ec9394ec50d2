"""Sweeps: the density of all designs of a result folder, its front above, and the fronts of several together."""

from __future__ import annotations

import math
from typing import Any

from dash import Dash, Input, Output, Patch, State, ctx, dcc, html, no_update
from dash.exceptions import PreventUpdate

from costmodel.dashboard import figures
from costmodel.dashboard.pages.common import WRAPPED, card, graph, metric_options, select, several, switch_of, table
from costmodel.dashboard.state import State as Link
from costmodel.dashboard.state import written
from costmodel.dashboard.sweeps import Box, Sweep
from costmodel.errors import CostmodelError
from costmodel.metrics import metric
from costmodel.views.numbers import show
from costmodel.views.plots.density import DensityInfo, density

COLUMNS = (
    {"field": "sweep", "width": 100, **WRAPPED},
    {"field": "network", "width": 110, **WRAPPED},
    {"field": "target", "width": 95, **WRAPPED},
    {"field": "x", "width": 85},
    {"field": "y", "width": 85},
    {"field": "settings", "flex": 1, "minWidth": 130, **WRAPPED},
    {"field": "command", "flex": 3, "minWidth": 260, **WRAPPED},
)
ROWS = 400
#: Designs of a selection that are drawn one by one.
BRUSHED = 2000
SCALES = (("log", "log"), ("linear", "linear"))


def layout(sweeps: list[Sweep], link: Link) -> Any:
    if not sweeps:
        return html.Div(
            card(
                "No sweep is open",
                html.P("Price a space with the first line, then open its folder with the second:"),
                html.Pre("costmodel explore SPACE.yaml -o results\ncostmodel dashboard --sweep results", tabIndex=0),
            ),
            className="page",
        )
    names = [str(i) for i in range(len(sweeps))]
    chosen = link.many("sweep", names) or names[:1]
    objectives = _objectives(sweeps)
    x = link.values["sx"] if link.values["sx"] in objectives else (objectives[0] if objectives else None)
    y = link.values["sy"] if link.values["sy"] in objectives else (objectives[1] if len(objectives) > 1 else x)
    data = [{"value": n, "label": f"{sweeps[int(n)].name} ({n})"} for n in names]
    return html.Div(
        [
            html.Div(
                html.Div(
                    [
                        several("sweep", "Result folders", data, chosen),
                        select("s-y", "Vertical axis", metric_options(objectives), y),
                        switch_of("s-y-scale", "Its scale", SCALES, link.one("sys", ("log", "linear"))),
                        select("s-x", "Horizontal axis", metric_options(objectives), x),
                        switch_of("s-x-scale", "Its scale", SCALES, link.one("sxs", ("log", "linear"))),
                    ],
                    className="group",
                ),
                className="controls",
            ),
            html.Div(
                [
                    html.P("", id="s-summary", className="summary", role="status"),
                    dcc.Store(id="s-window"),
                    graph("s-cloud", "Density of all designs of the sweep, with the front above", "taller"),
                    html.P(
                        "The density is that of the first folder, counted anew for every window zoomed to. Select "
                        "with box or lasso, at the top right of the figure, to see designs and list members.",
                        className="hint",
                    ),
                    card(
                        "Members",
                        html.P("", id="s-brushed", className="muted", role="status"),
                        table("s-members", COLUMNS),
                    ),
                ],
                className="main",
            ),
        ],
        className="page split",
    )


def _objectives(sweeps: list[Sweep]) -> list[str]:
    found: dict[str, None] = {}
    for sweep in sweeps:
        try:
            found |= dict.fromkeys(sweep.objectives)
        except CostmodelError:
            continue
    return list(found)


def window_of(relayout: Any, whole: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    """The window that the browser zoomed to, in the terms of its axes; the whole where it says nothing sensible."""
    if not isinstance(relayout, dict):
        return whole
    found = list(whole)
    for i, key in enumerate(("xaxis.range[0]", "xaxis.range[1]", "yaxis.range[0]", "yaxis.range[1]")):
        value = relayout.get(key)
        if isinstance(value, (int, float)) and math.isfinite(value):
            found[i] = float(value)
    x0, x1, y0, y1 = found
    return (x0, x1, y0, y1) if x1 > x0 and y1 > y0 else whole


def counted(sweep: Sweep, x: str, y: str, x_log: bool, y_log: bool, relayout: Any = None) -> DensityInfo | None:
    whole = sweep.window(x, y, x_log, y_log)
    if whole is None:
        return None
    return density(
        sweep.column(x, x_log, y),
        sweep.column(y, y_log, x),
        window=window_of(relayout, whole),
        x_log=x_log,
        y_log=y_log,
    )


def box_of(selected: Any) -> Box | None:
    """The box that was drawn, or that around the members in a lasso; None where nothing is selected."""
    if not isinstance(selected, dict):
        return None
    box = selected.get("range") or {}
    points = [p for p in selected.get("points") or [] if isinstance(p, dict)]
    sides: list[float] = []
    for name in ("x", "y"):
        found = box.get(name) or [p.get(name) for p in points]
        known = [float(v) for v in found if isinstance(v, (int, float)) and math.isfinite(v)]
        if not known:
            return None
        sides += [min(known), max(known)]
    return sides[0], sides[1], sides[2], sides[3]


def members(sweeps: list[tuple[str, Sweep]], x: str, y: str, box: Any = None) -> list[dict[str, Any]]:
    """Members of the fronts that were written, within a box (x0, x1, y0, y1) of data where there is one."""
    rows: list[dict[str, Any]] = []
    for name, sweep in sweeps:
        for front in sweep.fronts:
            if x not in front.objectives or y not in front.objectives:
                continue
            for m in front.members:
                a, b = m.metrics[x], m.metrics[y]
                if box is not None and not (box[0] <= a <= box[1] and box[2] <= b <= box[3]):
                    continue
                rows.append(
                    {
                        "sweep": name,
                        "network": m.network,
                        "target": m.target,
                        "x": show(a, metric(x).unit),
                        "y": show(b, metric(y).unit),
                        "settings": ", ".join(f"{k}={written(v)}" for k, v in m.settings.items()),
                        "command": m.command,
                    }
                )
                if len(rows) >= ROWS:
                    return rows
    return rows


def register(app: Dash, sweeps: list[Sweep]) -> None:
    if not sweeps:
        return
    controls = [Input(n, "value") for n in ("sweep", "s-x", "s-y", "s-x-scale", "s-y-scale", "theme")]

    # A figure also reports that it was resized. Were that an input of what draws it, a drawing under way would be given
    # up for the answer that nothing changes, and the figure stay empty.
    @app.callback(Output("s-window", "data"), Input("s-cloud", "relayoutData"), prevent_initial_call=True)
    def move(relayout: Any) -> Any:
        return relayout if isinstance(relayout, dict) and any("range" in key for key in relayout) else no_update

    @app.callback(
        output=[Output("s-cloud", "figure"), Output("s-summary", "children")],
        inputs={
            "values": controls,
            "window": Input("s-window", "data"),
            "tab": Input("tabs", "value"),
            "selected": State("s-cloud", "selectedData"),
        },
    )
    def draw(values: list[Any], window: Any, tab: str, selected: Any) -> Any:
        if tab != "sweeps":  # drawn when it is looked at
            raise PreventUpdate
        chosen, x, y, x_scale, y_scale, theme_name = values
        theme, x_log, y_log = figures.theme_of(theme_name), x_scale == "log", y_scale == "log"
        moved = set(ctx.triggered_prop_ids) == {"s-window.data"}
        picked = _picked(sweeps, chosen)
        if not picked:
            return figures.message("No sweep is chosen.", theme), ""
        try:
            if not x or not y:
                picked[0][1].objectives  # noqa: B018  (raises what is wrong with it)
                return figures.message("These sweeps have no objectives.", theme), ""
            first = picked[0][1]
            zoom = window if moved and "xaxis.autorange" not in window else None
            info = counted(first, x, y, x_log, y_log, zoom)
            fronts = []
            for name, sweep in picked:
                points = sweep.front(x, y)
                fronts.append(
                    (f"front of {name}", points[:, 0].tolist(), points[:, 1].tolist(), list(range(len(points))))
                )
        except CostmodelError as error:
            return figures.message(str(error), theme), str(error)
        box = box_of(selected) if moved else None
        brushed = first.inside(x, y, x_log, y_log, box, BRUSHED)[1:] if box is not None else ((), ())
        figure = figures.cloud(info, metric(x), metric(y), theme, fronts, x_log=x_log, y_log=y_log, brushed=brushed)
        if zoom is not None:
            for axis, (low, high) in (
                ("xaxis", ("xaxis.range[0]", "xaxis.range[1]")),
                ("yaxis", ("yaxis.range[0]", "yaxis.range[1]")),
            ):
                if low in zoom and high in zoom:
                    figure["layout"][axis]["range"] = [zoom[low], zoom[high]]
        words = [f"{first.name}: {first.size:,} designs"]
        words.append(f"{info.total:,} in this window" if info is not None else "none has both metrics")
        words.append(f"{sum(len(f[1]) for f in fronts):,} on the front{'s' if len(fronts) > 1 else ''}")
        if first.broken:
            words.append(f"{first.broken} parts cannot be read and are left out")
        return figure, ", ".join(words) + "."

    @app.callback(
        Output("s-members", "rowData"),
        Output("s-members", "columnDefs"),
        Output("s-brushed", "children"),
        Output("s-cloud", "figure", allow_duplicate=True),
        Input("s-cloud", "selectedData"),
        *controls[:5],
        prevent_initial_call="initial_duplicate",
    )
    def listed(selected: Any, chosen: Any, x: str, y: str, x_scale: str, y_scale: str) -> Any:
        selecting = set(ctx.triggered_prop_ids) == {"s-cloud.selectedData"}
        box = box_of(selected) if selecting else None  # one that was drawn on other axes selects nothing on these
        columns = [dict(column) for column in COLUMNS]
        columns[3]["headerName"], columns[4]["headerName"] = metric(x or "x").title, metric(y or "y").title
        picked, figure, said = _picked(sweeps, chosen), Patch(), ""
        try:
            rows = members(picked, x, y, box)
            number, xs, ys = 0, (), ()
            if box is not None and picked:
                number, xs, ys = picked[0][1].inside(x, y, x_scale == "log", y_scale == "log", box, BRUSHED)
                more = " or more" if len(rows) == ROWS else ""
                said = f"{number:,} designs and {len(rows):,}{more} members of fronts are selected"
                said += f"; {len(xs):,} of the designs are drawn." if number > len(xs) else "."
        except CostmodelError:
            return [], columns, "", no_update
        if not selecting or not picked:
            return rows, columns, said, no_update  # the figure is drawn anew
        figure["data"][0]["x"], figure["data"][0]["y"] = list(xs), list(ys)
        return rows, columns, said, figure

    @app.callback(Output("sweep", "error"), Input("sweep", "value"), State("theme", "value"))
    def check(chosen: Any, _: Any) -> Any:
        for _name, sweep in _picked(sweeps, chosen):
            try:
                sweep.objectives  # noqa: B018
            except CostmodelError as error:
                return str(error)
        return ""


def _picked(sweeps: list[Sweep], chosen: Any) -> list[tuple[str, Sweep]]:
    numbers = [int(n) for n in chosen or [] if str(n).isdigit() and int(n) < len(sweeps)]
    return [(sweeps[n].name, sweeps[n]) for n in numbers]
