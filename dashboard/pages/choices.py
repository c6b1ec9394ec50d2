"""The left side of the design page: which design it is, every choice of it, a target of one's own, pins."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import dash_mantine_components as dmc
from dash import ALL, MATCH, Dash, Input, Output, State, ctx, dcc, html, no_update

from costmodel.dashboard import upload, whatif
from costmodel.dashboard.answer import KINDS
from costmodel.dashboard.catalogue import Catalogue
from costmodel.dashboard.pages import reporting
from costmodel.dashboard.pages.common import aria, options, select, switch_of
from costmodel.dashboard.state import State as Link
from costmodel.dashboard.state import pairs, write_design
from costmodel.errors import CostmodelError
from costmodel.ledger.ledger import LEVELS

#: Designs that can be pinned.
MAX_PINS = 4


def layout(catalogue: Catalogue, link: Link) -> Any:
    network = link.one("net", catalogue.networks)
    target = link.one("on", [*catalogue.targets, *catalogue.uploaded])
    settings = whatif.known(catalogue, target, link.settings)
    levels = list(LEVELS.items())[::-1]
    groups = [
        html.Div(
            [
                select("d-network", "Network", networks(catalogue), network),
                select("d-target", "Target", targets(catalogue), target),
                switch_of("d-level", "Level", levels, link.one("level", [v for v, _ in levels])),
                html.Div(
                    [
                        dmc.Button("Pin to compare", id="pin", variant="default", size="xs"),
                        reporting.button("d-report"),
                    ],
                    className="buttons",
                ),
                html.P("", id="pinned-said", className="hint", role="status"),
                reporting.said("d-report"),
            ],
            className="group",
        ),
        html.Div(
            [
                html.H2("What if"),
                html.P("Every choice is priced at once.", className="hint"),
                html.P("", id="whatif-said", className="error", role="alert"),
                html.Div(whatif.panel(catalogue, network, target, settings), id="whatif"),
                dmc.Button("Back to the defaults", id="whatif-reset", variant="default", size="xs"),
                dcc.Store(id="settings", data=whatif.texts(settings)),
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
                    multiple=False,
                ),
                html.P("", id="upload-said", className="hint", role="status"),
            ],
            className="group",
        ),
    ]
    return html.Div(groups, id="choices", className="controls", role="form", **aria("Design and its choices"))


def networks(catalogue: Catalogue) -> list[dict[str, Any]]:
    """The networks, by the images that they are for."""
    return _grouped((row.dataset, name) for name, row in catalogue.networks.items())


def targets(catalogue: Catalogue) -> list[dict[str, Any]]:
    """The targets by kind, those that were uploaded last."""
    listed = [(KINDS.get(row.kind, row.kind), name) for name, row in catalogue.targets.items()]
    return _grouped([*listed, *(("yours", name) for name in catalogue.uploaded)])


def _grouped(rows: Iterable[tuple[str, str]]) -> list[dict[str, Any]]:
    found: dict[str, list[dict[str, str]]] = {}
    for group, name in rows:
        found.setdefault(group, []).append({"value": name, "label": name})
    return [{"group": group, "items": items} for group, items in found.items()]


def register(app: Dash, catalogue: Catalogue) -> None:
    controls = {"type": "whatif", "of": ALL, "name": ALL}
    fold = {"type": "fold", "of": MATCH}

    # One callback makes the controls and the settings. What reads the settings is thus called once both are those of
    # the same design: were the settings made by another callback, the page would be priced in between.
    @app.callback(
        Output("whatif", "children"),
        Output("settings", "data"),
        Output("whatif-said", "children"),
        Input("d-network", "value"),
        Input("d-target", "value"),
        Input("whatif-reset", "n_clicks"),
        Input(controls, "value"),
        State(controls, "id"),
        State("settings", "data"),
        prevent_initial_call=True,
    )
    def choose(network: str, target: str, _: Any, values: list[Any], ids: list[Any], now: list[str]) -> Any:
        changed = {prop.rpartition(".")[0] for prop in ctx.triggered_prop_ids}
        of_target, of_network = whatif.belong(network, target, ids)
        try:
            # by what is on the page, too: a change of a control puts an end to the answer to what was changed before it
            if "d-target" in changed or "whatif-reset" in changed or not of_target:
                settings: dict[str, Any] = {}
            elif "d-network" in changed or not of_network:
                kept = {k: v for k, v in pairs(now).items() if k not in whatif.OF_NETWORK}
                settings = whatif.known(catalogue, target, kept)
            else:
                given = whatif.given(catalogue, network, target, ids, values)
                unchanged = given == whatif.known(catalogue, target, pairs(now))
                return no_update, no_update if unchanged else whatif.texts(given), ""
            return whatif.panel(catalogue, network, target, settings), whatif.texts(settings), ""
        except CostmodelError as error:
            return no_update, no_update, str(error)

    @app.callback(
        Output({**fold, "name": "pe"}, "data"),
        Output({**fold, "name": "pe"}, "value"),
        Output({**fold, "name": "pe"}, "disabled"),
        Output({**fold, "name": "simd"}, "data"),
        Output({**fold, "name": "simd"}, "value"),
        Output({**fold, "name": "simd"}, "disabled"),
        Output({"type": "whatif", "of": MATCH, "name": "folding"}, "value"),
        Input({**fold, "name": "unit"}, "value"),
        Input({**fold, "name": "pe"}, "value"),
        Input({**fold, "name": "simd"}, "value"),
        State({**fold, "name": "unit"}, "id"),
        State("settings", "data"),
        prevent_initial_call=True,
    )
    def fold_one(unit: str | None, pe: str | None, simd: str | None, id: dict[str, str], now: list[str]) -> Any:
        network, _, target = id["of"].rpartition("@")
        settings = whatif.known(catalogue, target, pairs(now))
        fold = whatif.fold_of(catalogue, network, target, settings, unit)
        if fold is None:
            return (no_update,) * 7
        names = {prop.get("name") for prop in ctx.triggered_prop_ids.values()}
        if "unit" not in names and str(pe).isdigit() and str(simd).isdigit():
            line = whatif.refolded(catalogue, network, target, settings, int(str(unit)), int(str(pe)), int(str(simd)))
            return (*(no_update,) * 6, no_update if line is None else line)
        pes, simds = options(map(str, fold.pes)), options(map(str, fold.simds))
        return pes, str(fold.pe), False, simds, str(fold.simd), False, no_update

    @app.callback(
        Output("upload-said", "children"),
        Output("d-target", "data"),
        Output("d-target", "value", allow_duplicate=True),
        Input("upload", "contents"),
        prevent_initial_call=True,
    )
    def take(contents: Any) -> Any:
        try:
            name = upload.take(catalogue, contents)
        except CostmodelError as error:
            return str(error), no_update, no_update
        catalogue.price_on(name)
        said = f"{catalogue.uploaded[name].title} is loaded until the program ends; all networks are priced on it."
        return said, targets(catalogue), name

    reporting.register(
        app,
        catalogue,
        "d-report",
        [State("d-network", "value"), State("d-target", "value"), State("settings", "data"), State("d-level", "value")],
        lambda network, target, settings, level: [write_design(network, target, settings or (), level)],
    )

    @app.callback(
        Output("pins", "data"),
        Output("pinned-said", "children"),
        Input("pin", "n_clicks"),
        Input({"type": "unpin", "design": ALL}, "n_clicks"),
        State("pins", "data"),
        State("d-network", "value"),
        State("d-target", "value"),
        State("settings", "data"),
        State("d-level", "value"),
        prevent_initial_call=True,
    )
    def pin(
        _: Any, unpins: list[Any], pins: list[str], network: str, target: str, settings: list[str], level: str
    ) -> Any:
        pins = list(pins or [])
        if isinstance(ctx.triggered_id, dict):  # by what it is, not by where it stood: it may have moved since
            gone = ctx.triggered_id["design"]
            if not any(unpins) or gone not in pins:
                return no_update, no_update
            return [p for p in pins if p != gone], ""
        design = write_design(network, target, settings or (), level)
        if design in pins:
            return no_update, "It is pinned already."
        if len(pins) >= MAX_PINS:
            return no_update, "Four designs are pinned; remove one on the page Compare first."
        return [*pins, design], f"Pinned, {len(pins) + 1} of {MAX_PINS}."
