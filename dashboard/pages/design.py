"""One design, down to the layer: what it does, what that costs, what prices it, and what if it were built otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import dash_mantine_components as dmc
from costmodel.dashboard import figures, upload, whatif
from costmodel.dashboard.catalogue import Catalogue
from costmodel.dashboard.pages.common import aria, card, graph, options, plain_table, select, switch_of
from costmodel.dashboard.state import State as Link
from costmodel.dashboard.state import write_design
from dash import ALL, Dash, Input, Output, State, ctx, dcc, html, no_update
from dash.exceptions import PreventUpdate

from costmodel.errors import CostmodelError
from costmodel.ledger.conventions import convention, list_conventions
from costmodel.plots import breakdown
from costmodel.plots.palette import METRICS, metric, show

if TYPE_CHECKING:
    from costmodel.ledger.ledger import Ledger, Profile
    from costmodel.targets.estimate import Estimate

LEVELS = (("deployed", "deployed"), ("as_written", "as written"))
OPERATIONS, TRAFFIC = "operations", "traffic"
KNOWN_BY = {"P": "primary text", "T": "transcription", "A": "abstract", "C": "computed", "F": "fitted"}
#: Totals of an estimate under names of its own.
HEADLINES = (
    "energy_J",
    "latency_s",
    "throughput_fps",
    "inferences_per_s",
    "power_W",
    "area_mm2",
    "lut",
    "ff",
    "bram18",
    "uram",
    "dsp",
)
TITLES = {"throughput_fps": METRICS["fps"], "inferences_per_s": METRICS["fps"]}


def layout(catalogue: Catalogue, link: Link) -> Any:
    network = link.one("net", catalogue.networks)
    target = link.one("on", catalogue.targets)
    return html.Div(
        [
            html.Div(
                [
                    html.Div(
                        [
                            select("d-network", "Network", options(catalogue.networks), network),
                            select("d-target", "Target", options(catalogue.targets), target),
                            switch_of("d-level", "Level", LEVELS, link.one("level", [v for v, _ in LEVELS])),
                            dmc.Button("Pin to compare", id="pin", variant="default", size="xs", fullWidth=True),
                            html.P("", id="pinned-said", className="hint", role="status"),
                        ],
                        className="group",
                    ),
                    html.Div(
                        [
                            html.H2("What if"),
                            html.P("Every choice is priced at once.", className="hint"),
                            html.Div(whatif.panel(catalogue, target, link.settings), id="whatif"),
                            dmc.Button("Back to the defaults", id="whatif-reset", variant="default", size="xs"),
                        ],
                        className="group",
                    ),
                    html.Div(
                        [
                            html.H2("A target of yours"),
                            dcc.Upload(
                                html.Button("Load a target file (YAML)", className="upload", type="button"),
                                id="upload",
                                max_size=upload.MAX_BYTES,
                                accept=".yaml,.yml",
                                multiple=False,
                            ),
                            html.P("", id="upload-said", className="hint", role="status"),
                        ],
                        className="group",
                    ),
                ],
                className="controls",
                role="form",
                **aria("Design and its choices"),
            ),
            html.Div(
                [
                    html.P("", id="d-error", className="error", role="alert"),
                    html.Div([], id="d-headline", className="tiles"),
                    card(
                        "Layer by layer",
                        html.Div(
                            [
                                select(
                                    "d-metric",
                                    "Shown",
                                    [{"value": OPERATIONS, "label": "Operations, by kind"}],
                                    link.values["of"],
                                ),
                                select(
                                    "d-layer",
                                    "Layer",
                                    [],
                                    link.values["layer"] or None,
                                    placeholder="click a bar, or choose",
                                    clearable=True,
                                ),
                            ],
                            className="row",
                        ),
                        graph("d-layers", "Layers of the network, stacked; choose a layer for its numbers"),
                        html.Div(id="d-layer-detail", role="status"),
                    ),
                    html.Div(
                        [
                            card("Where it goes", graph("d-split", "Cost by component of the hardware", "short")),
                            card(
                                "How to count",
                                select(
                                    "d-convention",
                                    "Convention",
                                    options(list_conventions()),
                                    link.one("count", list_conventions()),
                                ),
                                html.Div(id="d-counted", role="status"),
                            ),
                        ],
                        className="pair",
                    ),
                    card("Constants that decide it", html.Div(id="d-constants")),
                    card("Exact rewrites, and what each saved", html.Div(id="d-rewrites")),
                    card("Folding", html.Div(id="d-folding")),
                    card(
                        "Make it again",
                        html.Pre(html.Code("", id="d-command"), tabIndex=0, **aria("command line")),
                        dcc.Clipboard(target_id="d-command", title="copy the command", className="copy"),
                    ),
                ],
                className="main",
            ),
        ],
        className="page split",
    )


def totals(estimate: Estimate) -> list[Any]:
    """Tiles of the totals with their intervals."""
    found: list[Any] = []
    for name in HEADLINES:
        if name in estimate.metrics() or name in estimate.derived:
            v, m = estimate.total(name), TITLES.get(name) or metric(name)
            bounds = "" if v.low == v.high else f"{show(v.low, m.unit)} to {show(v.high, m.unit)}"
            found.append(
                html.Div(
                    [
                        html.Span(m.title, className="label"),
                        html.Strong(show(v.value, m.unit)),
                        html.Span(bounds, className="muted"),
                    ],
                    className="tile",
                )
            )
    if estimate.misfit:
        found.append(
            html.Div(
                [html.Span("Does not fit", className="label"), html.Strong("; ".join(estimate.misfit))],
                className="tile wide warn",
            )
        )
    return found


def counted(profile: Profile, name: str) -> Any:
    """What a convention says of the network, term by term, and beside it the strict count."""
    chosen, strict = convention(name), convention("strict").count(profile)
    tally = chosen.count(profile)
    lines = [html.P([html.Strong(f"{float(tally.total):,.0f}"), f" {chosen.unit}, {chosen.title}. {chosen.why}."])]
    if name != "strict":
        lines.append(html.P(f"Strictly, {float(strict.total):,.0f} multiplications run.", className="muted"))
    rows = [(term, f"{float(v):,.0f}") for term, v in sorted(tally.by_term().items(), key=lambda t: -t[1])]
    return [*lines, plain_table(("term", chosen.unit), rows, f"{name}, from {chosen.source}")]


def constants_table(estimate: Estimate, name: str) -> Any:
    rows = [
        (
            r.name,
            show(r.value, _unit(r.unit)),
            f"{show(r.low, _unit(r.unit))} to {show(r.high, _unit(r.unit))}",
            f"{100 * r.priced:.1f} %",
            f"{100 * r.variance:.1f} %",
            r.source,
            KNOWN_BY.get(r.confidence, r.confidence),
        )
        for r in breakdown.constants(estimate, name)
    ]
    head = ("constant", "value", "interval", "prices", "causes of the variance", "source", "known by")
    return plain_table(head, rows, f"Constants behind {metric(name).title.lower()}, the widest cause first")


def rewrites_table(profile: Profile) -> Any:
    rows = [
        (
            r.name,
            r.places,
            ", ".join(f"{'−' if n > 0 else '+'}{show(abs(n))} {kind}" for kind, n in r.removed.items()) or "none",
            r.why,
        )
        for r in breakdown.rewrites(profile)
    ]
    before, after = profile.as_written.total("mul"), profile.deployed.total("mul")
    caption = f"Multiplications: {before:,} as written, {after:,} as deployed"
    return plain_table(("rewrite", "places", "operations", "why it is exact"), rows, caption)


def folding_table(estimate: Estimate) -> Any:
    """Cycles and folding of a pipeline, or the shape of the engine or array that layers share."""
    facts = estimate.facts
    folding = facts.get("folding")
    if isinstance(folding, Mapping) and folding:
        names = list(dict.fromkeys(k for row in folding.values() if isinstance(row, Mapping) for k in row))
        rows = [
            (layer, *(_fact(row.get(k, "")) for k in names))
            for layer, row in folding.items()
            if isinstance(row, Mapping)
        ]
        return plain_table(("unit", *names), rows, f"interval {show(float(facts.get('interval_cycles', 0)))} cycles")
    shown = [
        (k.replace("_", " "), _fact(v)) for k, v in facts.items() if isinstance(v, (str, int, float, bool, Mapping))
    ]
    return plain_table(("fact", "value"), shown, "Choices and exact results of the model")


def layer_detail(ledger: Ledger, estimate: Estimate | None, index: int) -> Any:
    """Everything known about one layer."""
    layer = next((entry for entry in ledger.layers if entry.index == index), None)
    if layer is None:
        return html.P("This layer is not part of this level.", className="muted")

    def times(shape: Any) -> str:
        return "×".join(map(str, shape)) or "none"

    rows: list[tuple[str, Any]] = [
        ("operation", layer.op),
        ("input", f"{times(layer.shape_in)}, {layer.a}"),
        ("output", f"{times(layer.shape_out)}, {layer.out}"),
    ]
    if layer.b is not None:
        rows.append(("weight", f"{times(layer.shape_b)}, {layer.b}"))
    if layer.macs:
        rows.append(("multiply-accumulates", f"{layer.macs:,}"))
    rows += [(f"{c.kind} ({c.tag})", f"{c.count:,}") for c in ledger.charges if c.layer == index]
    rows += [(f"{t.role} {t.tensor}", f"{t.total_bits:,} bit") for t in ledger.traffic if t.layer == index]
    if estimate is not None:
        for name, v in estimate.by_layer().get(index, {}).items():
            m = metric(name)
            rows.append((m.title, f"{show(v.value, m.unit)} ({show(v.low, m.unit)} to {show(v.high, m.unit)})"))
    return plain_table(("", layer.name), rows, f"Layer {layer.name}")


def register(app: Dash, catalogue: Catalogue) -> None:
    chosen = (
        Input("d-network", "value"),
        Input("d-target", "value"),
        Input("d-level", "value"),
        Input({"type": "whatif", "of": ALL, "name": ALL}, "value"),
        Input({"type": "whatif", "of": ALL, "name": ALL}, "id"),
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
        Output("settings", "data"),
        *chosen,
        Input("d-metric", "value"),
        Input("theme", "value"),
        Input("tabs", "value"),
    )
    def price(
        network: str, target: str, level: str, values: list[Any], ids: list[Any], of: str, theme_name: str, tab: str
    ) -> Any:
        if tab != "design":  # drawn when it is looked at
            raise PreventUpdate
        theme = figures.theme_of(theme_name)
        try:
            settings = whatif.given(catalogue, target, ids, values)
            estimate = catalogue.estimate(network, target, settings, level)
            ledger = catalogue.profile(network).ledger(level)  # type: ignore[arg-type]
        except CostmodelError as error:
            empty = figures.message("This design cannot be priced; the reason is above.", theme)
            return str(error), [], empty, empty, "", "", "", no_update, no_update, [], no_update
        metrics = [m for m in estimate.metrics() if m != "carry"]
        data = [
            {"value": OPERATIONS, "label": "Operations, by kind"},
            {"value": TRAFFIC, "label": "Memory traffic, by role"},
            *({"value": m, "label": f"{metric(m).title}, by component"} for m in metrics),
        ]
        of = of if of in {d["value"] for d in data} else OPERATIONS
        main = of if of in metrics else ("energy_J" if "energy_J" in metrics else metrics[0])
        if of == OPERATIONS:
            stack = breakdown.operations(ledger)
        else:
            stack = breakdown.traffic(ledger) if of == TRAFFIC else breakdown.costs(estimate, of)
        layers = [{"value": str(e.index), "label": f"{e.index}: {e.name} ({e.op})"} for e in ledger.layers]
        return (
            "",
            totals(estimate),
            figures.stacked(stack, theme),
            figures.intervals(breakdown.split(estimate, main), theme),
            constants_table(estimate, main),
            folding_table(estimate),
            catalogue.command(network, target, settings, level),
            data,
            of,
            layers,
            [f"{name}={value}" for name, value in settings.items()],
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
            return counted(profile, name), rewrites_table(profile)
        except CostmodelError as error:
            return str(error), ""

    @app.callback(Output("d-layer-detail", "children"), Input("d-layer", "value"), *chosen)
    def detail(layer: str | None, network: str, target: str, level: str, values: list[Any], ids: list[Any]) -> Any:
        if not layer or not str(layer).isdigit():
            return ""
        try:
            settings = whatif.given(catalogue, target, ids, values)
            estimate = catalogue.estimate(network, target, settings, level)
            return layer_detail(catalogue.profile(network).ledger(level), estimate, int(layer))  # type: ignore[arg-type]
        except CostmodelError as error:
            return str(error)

    @app.callback(
        Output("d-layer", "value"),
        Input("d-layers", "clickData"),
        Input("d-network", "value"),
        State("d-level", "value"),
        prevent_initial_call=True,
    )
    def click_layer(clicked: Any, network: str, level: str) -> Any:
        if ctx.triggered_id == "d-network":
            return None
        try:
            label = str(clicked["points"][0]["customdata"])
            ledger = catalogue.profile(network).ledger(level)  # type: ignore[arg-type]
        except (CostmodelError, KeyError, IndexError, TypeError):
            return no_update
        return next((str(e.index) for e in ledger.layers if e.name == label), no_update)

    @app.callback(
        Output("whatif", "children"),
        Input("d-target", "value"),
        Input("whatif-reset", "n_clicks"),
        prevent_initial_call=True,
    )
    def panel(target: str, _: Any) -> Any:
        try:
            return whatif.panel(catalogue, target, {})
        except CostmodelError as error:
            return str(error)

    @app.callback(
        Output("upload-said", "children"),
        Output("d-target", "data"),
        Output("d-target", "value", allow_duplicate=True),
        Input("upload", "contents"),
        State("upload", "filename"),
        prevent_initial_call=True,
    )
    def take(contents: Any, filename: Any) -> Any:
        try:
            name = upload.take(catalogue, contents)
        except CostmodelError as error:
            return str(error), no_update, no_update
        names = [*catalogue.targets, *catalogue.uploaded]
        return f"{catalogue.uploaded[name].title} is loaded until the program ends.", options(names), name

    @app.callback(
        Output("pins", "data"),
        Output("pinned-said", "children"),
        Input("pin", "n_clicks"),
        Input({"type": "unpin", "index": ALL}, "n_clicks"),
        State("pins", "data"),
        *(State(c.component_id, c.component_property) for c in chosen),
        prevent_initial_call=True,
    )
    def pin(
        _: Any,
        unpins: list[Any],
        pins: list[str],
        network: str,
        target: str,
        level: str,
        values: list[Any],
        ids: list[Any],
    ) -> Any:
        pins = list(pins or [])
        if isinstance(ctx.triggered_id, dict):
            index = ctx.triggered_id["index"]
            if not any(unpins) or index >= len(pins):
                return no_update, no_update
            return pins[:index] + pins[index + 1 :], ""
        try:
            design = write_design(network, target, whatif.given(catalogue, target, ids, values))
        except CostmodelError as error:
            return no_update, str(error)
        if design in pins:
            return no_update, "It is pinned already."
        if len(pins) >= 4:
            return no_update, "Four designs are pinned; remove one on the page Compare first."
        return [*pins, design], f"Pinned, {len(pins) + 1} of 4."


def _fact(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, Mapping):
        return ", ".join(f"{k} {_fact(v)}" for k, v in list(value.items())[:8])
    return str(value)


def _unit(unit: str) -> str:
    return "" if unit == "1" else unit
