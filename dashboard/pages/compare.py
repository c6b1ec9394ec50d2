"""Up to four designs side by side, and with what probability one is cheaper than another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dash import Dash, Input, Output, State, html
from dash.exceptions import PreventUpdate

from costmodel.dashboard import figures
from costmodel.dashboard.catalogue import Catalogue
from costmodel.dashboard.pages import reporting
from costmodel.dashboard.pages.choices import MAX_PINS
from costmodel.dashboard.pages.common import aria, card, graph, metric_options, plain_table, select, switch_of
from costmodel.dashboard.pages.tables import accuracy_words, interval, left_out_words
from costmodel.dashboard.state import DEPLOYED, read_design
from costmodel.dashboard.state import State as Link
from costmodel.errors import CostmodelError
from costmodel.ledger.ledger import LEVELS, level_of
from costmodel.metrics import costs, headlines, metric
from costmodel.targets.estimate import Estimate
from costmodel.views.numbers import show
from costmodel.views.plots import breakdown
from costmodel.views.plots.palette import CYCLE

LETTERS = "ABCD"
SCALES = (("linear", "linear"), ("log", "log"))


@dataclass(frozen=True)
class Pinned:
    """A pinned design that can be priced. ``letter`` names it, and its colour, wherever it stands."""

    letter: str
    label: str
    network: str
    level: str
    estimate: Estimate

    @property
    def colour(self) -> str:
        return colour_of(self.letter)


def colour_of(letter: str) -> str:
    return CYCLE[LETTERS.index(letter)]


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
                    html.P("", id="c-apart", className="notice-inline", role="status"),
                    graph("c-bars", "Chosen metric of the pinned designs, with intervals", "short"),
                ),
                card("Which is cheaper", html.Div(id="c-odds")),
                card("All metrics", html.Div(id="c-table")),
            ],
            className="main",
        ),
        className="page",
    )


def read_pins(catalogue: Catalogue, pins: Sequence[Any]) -> list[tuple[str, str, Pinned | str]]:
    """For each pin its text, its label, and the design, or why there is none."""
    found: list[tuple[str, str, Pinned | str]] = []
    for letter, text in zip(LETTERS, map(str, pins[:MAX_PINS]), strict=False):
        label = text
        try:
            network, target, settings, level = read_design(text)
            level = level_of(level)
            chosen = catalogue.settings(target, settings, level)
            as_is = "" if level == DEPLOYED else f", {LEVELS[level]}"
            label = f"{network} on {target}{as_is}{_settings(catalogue, target, chosen)}"
            estimate = catalogue.estimate(network, target, settings, level)
            found.append((text, label, Pinned(letter, label, network, level, estimate)))
        except CostmodelError as error:
            found.append((text, label, str(error)))
    return found


def odds_table(found: Sequence[Pinned], name: str) -> Any:
    """Row against column: the probability that the row costs less, under the same draws of shared constants."""
    having = [p for p in found if p.estimate.has(name)]
    if len(having) < 2:
        return html.P(f"At least two pinned designs must have {metric(name).word}.", className="muted")
    rows = []
    for p in having:
        cells = ["–" if p is q else _cheaper(p.estimate, q.estimate, name) for q in having]
        rows.append((f"{p.letter}  {p.label}", *cells))
    caption = f"Probability that the row needs less {metric(name).word} than the column"
    return plain_table(("", *(p.letter for p in having)), rows, caption)


def _cheaper(a: Estimate, b: Estimate, name: str) -> str:
    """The probability in words, or why there is none: bounds and figures of unlike things are not compared."""
    from costmodel.targets.uncertainty import probability_cheaper

    if metric(name).scoped and a.scope != b.scope:
        return f"not comparable: {a.scope} against {b.scope}"
    if a.left_out.get(name) or b.left_out.get(name):
        return "not known: incomplete"
    return _percent(probability_cheaper(a, b, name))


def apart(found: Sequence[Pinned], name: str) -> str:
    """Why these designs are not to be compared in a metric; empty where they are."""
    having = [p for p in found if p.estimate.has(name)]
    scopes = {p.estimate.scope for p in having}
    words = []
    if metric(name).scoped and len(scopes) > 1:
        each = ", ".join(f"{p.letter} of the {p.estimate.scope}" for p in having)
        words.append(f"{metric(name).title} is not that of the same thing: {each}.")
    open_ended = [p.letter for p in having if p.estimate.left_out.get(name)]
    if open_ended:
        words.append(f"{', '.join(open_ended)}: a bound, since something has no figure; the table says what.")
    return " ".join(words)


def all_metrics(catalogue: Catalogue, found: Sequence[Pinned]) -> Any:
    """Everything that is known of the pinned designs, a row each."""
    rows: list[tuple[Any, ...]] = []
    for n in [n for n in headlines() if any(p.estimate.has(n) for p in found)]:
        cells = []
        for p in found:
            least = ("≤ " if metric(n).maximised else "≥ ") if p.estimate.left_out.get(n) else ""
            cells.append(least + interval(p.estimate.total(n), metric(n)) if p.estimate.has(n) else "not known")
        rows.append((metric(n).title, *cells))
    multiplied = (catalogue.profile(p.network).ledger(level_of(p.level)).total("mul") for p in found)
    rows += [
        ("Top-1 accuracy", *(accuracy_words(catalogue, p.network) for p in found)),
        ("Multiplications", *(f"{count:,}" for count in multiplied)),
        ("Level", *(LEVELS[level_of(p.level)] for p in found)),
        ("Energy of", *(p.estimate.scope or "not known" for p in found)),
        ("Left out", *(left_out_words(p.estimate) for p in found)),
        ("Fits", *("no: " + "; ".join(p.estimate.misfit) if p.estimate.misfit else "yes" for p in found)),
        ("Assumes", *("; ".join(p.estimate.notes) or "nothing to note" for p in found)),
    ]
    return plain_table(("", *(f"{p.letter}  {p.label}" for p in found)), rows, "All metrics of the pinned designs")


def register(app: Dash, catalogue: Catalogue) -> None:
    reporting.register(app, catalogue, "c-report", [State("pins", "data")], lambda pins: (pins or [])[:MAX_PINS])

    @app.callback(
        Output("c-designs", "children"),
        Output("c-bars", "figure"),
        Output("c-odds", "children"),
        Output("c-table", "children"),
        Output("c-apart", "children"),
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
        read = read_pins(catalogue, pins or [])
        found = [p for _, _, p in read if isinstance(p, Pinned)]
        tiles = [_tile(letter, *entry) for letter, entry in zip(LETTERS, read, strict=False)]
        if not found:
            text = "Nothing is pinned yet. On the page Design, press “Pin to compare”; up to four designs fit here."
            return tiles, figures.message(text, theme), "", html.P(text, className="muted"), ""
        having = [p for p in found if p.estimate.has(name)]
        shown = breakdown.side_by_side([(p.letter, p.estimate) for p in having], name)
        bars = figures.intervals(
            shown,
            theme,
            log=scale == "log",
            names=[f"{p.letter}  {p.label}" for p in having],
            paint=[p.colour for p in having],
        )
        return tiles, bars, odds_table(found, name), all_metrics(catalogue, found), apart(found, name)


def _tile(letter: str, text: str, label: str, pinned: Pinned | str) -> Any:
    problem = pinned if isinstance(pinned, str) else ""
    return html.Div(
        [
            html.Span(f"Design {letter}", className="label"),
            html.Strong(label),
            html.Span(problem, className="muted"),
            html.Button(
                "remove",
                id={"type": "unpin", "design": text},
                className="link",
                type="button",
                **aria(f"remove {label}"),
            ),
        ],
        className="tile wide",
        style=None if problem else {"borderLeft": f"4px solid {colour_of(letter)}"},
    )


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
