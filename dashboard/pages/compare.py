"""Up to four designs side by side, and with what probability one is cheaper than another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dash import Dash, Input, Output, State, html
from dash.exceptions import PreventUpdate

from costmodel.dashboard import figures
from costmodel.dashboard.catalogue import Catalogue
from costmodel.dashboard.pages import reporting
from costmodel.dashboard.pages.choices import MAX_PINS
from costmodel.dashboard.pages.common import aria, card, graph, metric_options, plain_table, select, switch_of
from costmodel.dashboard.pages.tables import interval
from costmodel.dashboard.state import State as Link
from costmodel.dashboard.state import read_design
from costmodel.errors import CostmodelError
from costmodel.metrics import costs, metric
from costmodel.targets.estimate import Estimate
from costmodel.views.numbers import show
from costmodel.views.plots import breakdown

LETTERS = "ABCD"
SCALES = (("linear", "linear"), ("log", "log"))


def layout(_: Catalogue, link: Link) -> Any:
    return html.Div(
        html.Div(
            [
                html.Div(id="c-designs", className="tiles"),
                card(
                    "Side by side",
                    html.Div(
                        [
                            select("c-metric", "Metric", metric_options(costs()), link.one("cx", costs())),
                            switch_of("c-scale", "Scale", SCALES, link.one("cs", [v for v, _ in SCALES])),
                            reporting.button("c-report"),
                        ],
                        className="row",
                    ),
                    reporting.said("c-report"),
                    graph("c-bars", "Chosen metric of the pinned designs, with intervals", "short"),
                ),
                card("Which is cheaper", html.Div(id="c-odds")),
                card("All metrics", html.Div(id="c-table")),
            ],
            className="main",
        ),
        className="page",
    )


def odds_table(found: list[tuple[str, Estimate]], name: str) -> Any:
    """Row against column: the probability that the row costs less, under the same draws of shared constants."""
    from costmodel.targets.uncertainty import probability_cheaper

    having = [(label, e) for label, e in found if e.has(name)]
    if len(having) < 2:
        return html.P(f"At least two pinned designs must have {metric(name).word}.", className="muted")
    rows = []
    for i, (label, e) in enumerate(having):
        cells = [
            "–" if i == j else _percent(probability_cheaper(e, other, name)) for j, (_, other) in enumerate(having)
        ]
        rows.append((label, *cells))
    caption = f"Probability that the row needs less {metric(name).word} than the column"
    return plain_table(("", *(_letter(label) for label, _ in having)), rows, caption)


def register(app: Dash, catalogue: Catalogue) -> None:
    reporting.register(app, catalogue, "c-report", [State("pins", "data")], lambda pins: (pins or [])[:MAX_PINS])

    @app.callback(
        Output("c-designs", "children"),
        Output("c-bars", "figure"),
        Output("c-odds", "children"),
        Output("c-table", "children"),
        Input("pins", "data"),
        Input("c-metric", "value"),
        Input("c-scale", "value"),
        Input("theme", "value"),
        Input("tabs", "value"),
    )
    def draw(pins: Any, name: str, scale: str, theme_name: str, tab: str) -> Any:
        if tab != "compare":  # drawn when it is looked at
            raise PreventUpdate
        theme = figures.theme_of(theme_name)
        found: list[tuple[str, Estimate]] = []
        tiles = []
        for index, text in enumerate((pins or [])[:MAX_PINS]):
            label, problem = str(text), ""
            try:
                network, target, settings = read_design(str(text))
                chosen = catalogue.settings(target, settings)
                label = f"{network} on {target}" + _settings(catalogue, target, chosen)
                found.append((f"{LETTERS[index]}  {label}", catalogue.estimate(network, target, settings)))
            except CostmodelError as error:
                problem = str(error)
            tiles.append(
                html.Div(
                    [
                        html.Span(f"Design {LETTERS[index]}", className="label"),
                        html.Strong(label),
                        html.Span(problem, className="muted"),
                        html.Button(
                            "remove",
                            id={"type": "unpin", "design": str(text)},
                            className="link",
                            **aria(f"remove {label}"),
                        ),
                    ],
                    className="tile wide",
                    style={"borderLeft": f"4px solid var(--c{len(found) - 1})"} if not problem else None,
                )
            )
        if not found:
            text = "Nothing is pinned yet. On the page Design, press “Pin to compare”; up to four designs fit here."
            return tiles, figures.message(text, theme), "", html.P(text, className="muted")
        names = list(dict.fromkeys(n for _, e in found for n in costs() if e.has(n)))
        rows = []
        for n in names:
            m = metric(n)
            cells = []
            for _, e in found:
                cells.append(interval(e.total(n), m) if e.has(n) else "not known")
            rows.append((m.title, *cells))
        rows.append(("Fits", *("no: " + "; ".join(e.misfit) if e.misfit else "yes" for _, e in found)))
        shown = breakdown.side_by_side([(_letter(label), e) for label, e in found], name)
        bars = figures.intervals(shown, theme, log=scale == "log", names=[label for label, _ in found])
        return tiles, bars, odds_table(found, name), plain_table(("", *(label for label, _ in found)), rows)


def _letter(label: str) -> str:
    return label.partition(" ")[0]


def _percent(probability: float) -> str:
    """Never certainty where it is only likely: a sample of a few thousand draws does not show one in a thousand."""
    if probability in (0.0, 1.0):
        return f"{100 * probability:.0f} % of the draws"
    if not 0.001 < probability < 0.999:
        return "> 99.9 %" if probability > 0.5 else "< 0.1 %"
    return f"{100 * probability:.1f} %"


def _settings(catalogue: Catalogue, target: str, chosen: Mapping[str, Any]) -> str:
    units = {name: p.unit for name, p in catalogue.parameters(target).items()}
    return "".join(
        f", {k} {show(v, '' if units[k] == '1' else units[k])}" if isinstance(v, (int, float)) else f", {k} {v}"
        for k, v in chosen.items()
    )
