"""One design, down to the layer: what it does, what that costs, what prices it, and what if it were built otherwise."""

from __future__ import annotations

from typing import Any

from dash import Dash, Input, Output, ctx, dcc, html, no_update
from dash.exceptions import PreventUpdate

from costmodel.dashboard import figures
from costmodel.dashboard.catalogue import Catalogue
from costmodel.dashboard.pages import choices, space, tables
from costmodel.dashboard.pages.common import aria, card, graph, options, select, switch_of, to_choices
from costmodel.dashboard.state import State as Link
from costmodel.dashboard.state import pairs
from costmodel.errors import CostmodelError
from costmodel.ledger.conventions import list_conventions
from costmodel.metrics import leading, metric
from costmodel.views.plots import breakdown

BY = (("block", "block"), ("layer", "layer"))
OPERATIONS, TRAFFIC = "operations", "traffic"
SHOWN = [
    {"value": OPERATIONS, "label": "Operations, by kind"},
    {"value": TRAFFIC, "label": "Memory traffic, by role"},
]


def layout(catalogue: Catalogue, link: Link) -> Any:
    left = choices.layout(catalogue, link)
    shown = select("d-metric", "Shown", SHOWN, link.values["of"])
    layer = select(
        "d-layer", "Layer", [], link.values["layer"] or None, placeholder="click a bar, or choose", clearable=True
    )
    conventions = list_conventions()
    main = [
        to_choices("choices", "Another network or target, and what if"),
        html.P("", id="d-error", className="error", role="alert"),
        html.Div([], id="d-headline", className="tiles", role="region", **aria("totals of this design")),
        card(
            "Layer by layer",
            html.Div(
                [shown, switch_of("d-by", "A bar for each", BY, link.one("by", dict(BY))), layer], className="row"
            ),
            graph("d-layers", "Layers of the network, stacked; choose a layer for its numbers"),
            html.Div(id="d-layer-detail", role="status"),
        ),
        html.Div(
            [
                card("Where it goes", graph("d-split", "Cost by component of the hardware", "short")),
                card(
                    "How to count",
                    select("d-convention", "Convention", options(conventions), link.one("count", conventions)),
                    html.Div(id="d-counted", role="status"),
                ),
            ],
            className="pair",
        ),
        *space.layout(link),
        card("Constants that decide it", html.Div(id="d-constants")),
        card("Exact rewrites, and what each saved", html.Div(id="d-rewrites")),
        card("Cycles and folding", html.Div(id="d-folding")),
        card(
            "Make it again",
            html.Pre(html.Code("", id="d-command"), tabIndex=0, **aria("command line")),
            dcc.Clipboard(target_id="d-command", title="copy the command", className="copy"),
        ),
    ]
    return html.Div([left, html.Div(main, className="main")], className="page split")


def register(app: Dash, catalogue: Catalogue) -> None:
    choices.register(app, catalogue)
    space.register(app, catalogue)
    design = (
        Input("d-network", "value"),
        Input("d-target", "value"),
        Input("d-level", "value"),
        Input("settings", "data"),
    )

    @app.callback(
        Output("d-error", "children"),
        Output("d-headline", "children"),
        Output("d-layers", "figure"),
        Output("d-split", "figure"),
        Output("d-constants", "children"),
        Output("d-folding", "children"),
        Output("d-command", "children"),
        Output("d-metric", "data"),
        Output("d-metric", "value"),
        Output("d-layer", "data"),
        *design,
        Input("d-metric", "value"),
        Input("d-by", "value"),
        Input("theme", "value"),
        Input("tabs", "value"),
    )
    def price(
        network: str, target: str, level: str, texts: list[str], of: str, by: str, theme_name: str, tab: str
    ) -> Any:
        if tab != "design":  # drawn when it is looked at
            raise PreventUpdate
        theme = figures.theme_of(theme_name)
        try:
            settings = catalogue.settings(target, pairs(texts or ()), level)
            estimate = catalogue.estimate(network, target, settings, level)
            ledger = catalogue.ledger(network, level, settings.get("scale", "exact"))
        except CostmodelError as error:
            empty = figures.message("This design cannot be priced; the reason is above.", theme)
            return str(error), [], empty, empty, "", "", "", no_update, no_update, []
        metrics = estimate.metrics()
        data = [*SHOWN, *({"value": m, "label": f"{metric(m).title}, by component"} for m in metrics)]
        of = of if of in {d["value"] for d in data} else OPERATIONS
        main = of if of in metrics else leading(m for m in metrics if estimate.explain(m))
        if of == OPERATIONS:
            stack = breakdown.operations(ledger)
        else:
            stack = breakdown.traffic(ledger) if of == TRAFFIC else breakdown.costs(estimate, of)
        if by == "block":
            stack = breakdown.by_block(stack)
        return (
            "",
            [
                *tables.totals(estimate),
                *tables.of_network(catalogue, network, level),
                *tables.remarks(estimate),
            ],
            figures.stacked(stack, theme),
            figures.intervals(breakdown.split(estimate, main), theme),
            tables.constants_table(estimate, main),
            tables.folding_table(estimate),
            catalogue.command(network, target, settings, level),
            data,
            of,
            [{"value": str(e.index), "label": f"{e.index}: {e.name} ({e.op})"} for e in ledger.layers],
        )

    @app.callback(
        Output("d-counted", "children"),
        Output("d-rewrites", "children"),
        Input("d-network", "value"),
        Input("d-convention", "value"),
        Input("tabs", "value"),
    )
    def count(network: str, name: str, tab: str) -> Any:
        if tab != "design":
            raise PreventUpdate
        try:
            profile = catalogue.profile(network)
            return tables.counted(profile, name), tables.rewrites_table(profile)
        except CostmodelError as error:
            return str(error), ""

    @app.callback(Output("d-layer-detail", "children"), Input("d-layer", "value"), *design)
    def detail(layer: str | None, network: str, target: str, level: str, texts: list[str]) -> Any:
        if not layer or not str(layer).isdigit():
            return ""
        try:
            settings = catalogue.settings(target, pairs(texts or ()), level)
            estimate = catalogue.estimate(network, target, settings, level)
            ledger = catalogue.ledger(network, level, settings.get("scale", "exact"))
            return tables.layer_detail(ledger, estimate, int(layer))
        except CostmodelError as error:
            return str(error)

    @app.callback(
        Output("d-layer", "value"),
        Input("d-layers", "clickData"),
        Input("d-network", "value"),
        Input("d-level", "value"),
        prevent_initial_call=True,
    )
    def click_layer(clicked: Any, _network: str, _level: str) -> Any:
        if ctx.triggered_id != "d-layers":  # the number of a layer means another one elsewhere
            return None
        try:
            index = int(clicked["points"][0]["customdata"][1])
        except (KeyError, IndexError, TypeError, ValueError):
            return no_update
        return str(index) if index >= 0 else no_update
