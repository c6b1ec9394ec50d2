"""On the page of a design: where it stands among the designs of its network on its target, and the way along them."""

from __future__ import annotations

from typing import Any

import dash_mantine_components as dmc
from dash import Dash, Input, Output, State, ctx, html, no_update
from dash.exceptions import PreventUpdate

from costmodel.dashboard import figures, whatif
from costmodel.dashboard.catalogue import Catalogue
from costmodel.dashboard.neighbours import AUTO, Spaces, said
from costmodel.dashboard.pages.common import card, graph, metric_options, select, switch_of
from costmodel.dashboard.selection import ids_of
from costmodel.dashboard.state import State as Link
from costmodel.dashboard.state import pairs
from costmodel.errors import CostmodelError
from costmodel.metrics import METRICS
from costmodel.views.plots.roofline import roofline
from costmodel.views.plots.scatter import ScatterInfo

POINTS = (("both", "both"), ("front", "sweeps"), ("choices", "single choices"))
ANSWERS = (("same", "the same answers"), ("any", "any"))
WHAT_SUITS = {"value": AUTO, "label": "what suits the target"}
#: An axis of values that differ by more than this is logarithmic.
DECADE = 10.0


def layout(link: Link) -> list[Any]:
    x, y = (link.values[k] if link.values[k] in METRICS else AUTO for k in ("dx", "dy"))
    choices = html.Div(
        [
            select("d-y", "Vertical axis", [WHAT_SUITS, *metric_options({y} - {AUTO})], y),
            select("d-x", "Horizontal axis", [WHAT_SUITS, *metric_options({x} - {AUTO})], x),
            switch_of("d-points", "Points", POINTS, link.one("points", [v for v, _ in POINTS])),
            switch_of("d-answers", "On the front", ANSWERS, link.one("answers", [v for v, _ in ANSWERS])),
            dmc.Button("Previous on the front", id="d-previous", variant="default", size="xs"),
            dmc.Button("Next on the front", id="d-next", variant="default", size="xs"),
        ],
        className="row",
    )
    return [
        card(
            "Its design space",
            choices,
            html.P("", id="d-where", role="status", className="muted"),
            graph(
                "d-space", "Other designs of this network on this target; the buttons walk along their front", "taller"
            ),
            html.P(
                "Members of exact fronts and sweeps (foldings, mappings, clocks), and what each single choice made "
                "otherwise gives (clock, scale option, bits, parallelism). A click on one, or the buttons, makes "
                "its choices those of this page.",
                className="hint",
            ),
            html.P("", id="d-fold", className="hint"),
        ),
        card(
            "Roofline",
            graph("d-roofline", "How fast each layer computes against how much it computes per byte moved"),
            html.P(
                "The roofs are those that this design implies: no layer of it computes, or moves bytes, faster. An "
                "operation is half a multiply-accumulate.",
                className="hint",
            ),
        ),
    ]


def register(app: Dash, catalogue: Catalogue) -> None:
    spaces = Spaces(catalogue)
    network, target = Input("d-network", "value"), Input("d-target", "value")
    design = (network, target, Input("d-level", "value"), Input("settings", "data"))
    names = ("d-x", "d-y", "d-points", "d-answers")

    @app.callback(
        Output("d-space", "figure"),
        Output("d-where", "children"),
        Output("d-fold", "children"),
        Output("d-x", "data"),
        Output("d-y", "data"),
        Output("d-x", "value"),
        Output("d-y", "value"),
        *design,
        *(Input(name, "value") for name in names),
        Input("theme", "value"),
        Input("tabs", "value"),
        State("narrow", "data"),
    )
    def draw(network: str, target: str, level: str, texts: list[str], x: str, y: str, points: str, answers: str,
             theme_name: str, tab: str, narrow: Any) -> Any:  # fmt: skip
        if tab != "design":
            raise PreventUpdate
        theme = figures.theme_of(theme_name)
        try:
            found = spaces.around(network, target, pairs(texts or ()), level, points)
        except CostmodelError:
            return (
                figures.message("This design cannot be priced; the reason is above.", theme),
                "",
                "",
                [],
                [],
                no_update,
                no_update,
            )
        axes = found.axes(x, y)
        info = found.plot(*axes, answers == "any")
        along = found.plot(*axes, answers == "any", walked=True)
        figure = figures.trade_off(
            info, theme, x_log=_spread(info, "x"), y_log=_spread(info, "y"), bars="none", named=not narrow
        )
        figure["layout"]["dragmode"] = "zoom"
        known = [WHAT_SUITS, *metric_options(found.metrics())]
        kind = catalogue.target(target).kind
        advice = ""
        if kind == "fpga" and not found.members and points != "choices":
            advice = f"No exact front of this network on {target} is here. This finds it: {_fold(network, target)}"
        # an axis that this target does not have would leave an empty box
        kept = (no_update if name in {AUTO, *found.metrics()} else AUTO for name in (x, y))
        return figure, said(info, along, found), advice, known, known, *kept

    def _fold(network: str, target: str) -> str:
        return catalogue.command(network, target, {}).replace("costmodel profile", "costmodel fold", 1) + " --front"

    @app.callback(
        Output("whatif", "children", allow_duplicate=True),
        Output("settings", "data", allow_duplicate=True),
        Output("d-space", "clickData"),
        Input("d-previous", "n_clicks"),
        Input("d-next", "n_clicks"),
        Input("d-space", "clickData"),
        State("d-network", "value"),
        State("d-target", "value"),
        State("d-level", "value"),
        State("settings", "data"),
        *(State(name, "value") for name in names),
        prevent_initial_call=True,
    )
    def walk(_back: Any, _on: Any, clicked: Any, network: str, target: str, level: str, texts: list[str], x: str,
             y: str, points: str, answers: str) -> Any:  # fmt: skip
        if ctx.triggered_id == "d-space" and not ids_of(clicked):
            raise PreventUpdate
        try:
            found = spaces.around(network, target, pairs(texts or ()), level, points)
            if ctx.triggered_id == "d-space":
                key = ids_of(clicked)[0]
            else:
                along = found.plot(*found.axes(x, y), answers == "any", walked=True)
                key = found.step(along, -1 if ctx.triggered_id == "d-previous" else 1)
        except CostmodelError:
            raise PreventUpdate from None
        if key == found.here or key not in found.choices:
            return no_update, no_update, None
        settings = whatif.known(catalogue, target, pairs(found.choices[key]))
        return whatif.panel(catalogue, network, target, settings), whatif.texts(settings), None

    @app.callback(Output("d-roofline", "figure"), *design, Input("theme", "value"), Input("tabs", "value"))
    def roofs(network: str, target: str, level: str, texts: list[str], theme_name: str, tab: str) -> Any:
        if tab != "design":
            raise PreventUpdate
        theme = figures.theme_of(theme_name)
        try:
            estimate = catalogue.estimate(network, target, pairs(texts or ()), level)
            return figures.roofline(roofline(estimate), theme)
        except CostmodelError as error:
            return figures.message(str(error), theme)


def _spread(info: ScatterInfo, name: str) -> bool:
    """Whether an axis is logarithmic: of positive values that span more than a decade."""
    values = [getattr(p, name).value for p in info.points]
    return bool(values) and min(values) > 0 and max(values) > DECADE * min(values)
