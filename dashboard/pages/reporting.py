"""The button that makes the report of what a page shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import dash_mantine_components as dmc
from dash import Dash, Input, Output, State, dcc, html, no_update

from costmodel.dashboard import report
from costmodel.dashboard.catalogue import Catalogue
from costmodel.dashboard.download import sent
from costmodel.dashboard.state import read_design
from costmodel.errors import CostmodelError


def button(id: str) -> Any:
    return dmc.Button("Report (PDF)", id=id, variant="default", size="xs", loaderProps={"type": "dots"})


def said(id: str) -> Any:
    """What the button has to say, and the file that it hands over."""
    return html.Div(
        [
            html.P("", id=f"{id}-busy", className="hint", role="status"),
            html.P("", id=f"{id}-said", className="hint", role="status"),
            dcc.Download(id=f"{id}-got"),
        ]
    )


def register(
    app: Dash, catalogue: Catalogue, id: str, states: Sequence[State], designs: Callable[..., Sequence[str]]
) -> None:
    """``designs`` makes the designs of the report (``network@target;name=value``) from the values of ``states``."""

    @app.callback(
        Output(f"{id}-got", "data"),
        Output(f"{id}-said", "children"),
        Input(id, "n_clicks"),
        *states,
        prevent_initial_call=True,
        running=[
            (Output(id, "loading"), True, False),
            (Output(f"{id}-busy", "children"), "Making the report, some seconds …", ""),
        ],
    )
    def make(_: Any, *values: Any) -> Any:
        try:
            shown = designs(*values)
            wanted = report.orders(catalogue, shown)
            data, name = report.make(catalogue, wanted)
        except CostmodelError as error:
            return no_update, str(error)
        networks = len({n for order in wanted for n in order.networks})
        variants = len({n for text in shown if (n := read_design(text)[0]) and catalogue.network(n).arguments})
        targets = len({t for order in wanted for t in order.targets})
        words = f"{name}: {_count(networks, 'network')} on {_count(targets, 'target')}"
        if len(wanted) > 1:
            words += f", {len(wanted)} reports, since their choices differ"
        if variants:
            words += f"; {_count(variants, 'variant')} left out, since a report holds networks as they are listed"
        return sent(data, name), words + "."


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'s' * (number != 1)}"
