"""The application: one page with four views, served to this machine alone unless told otherwise."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dash_mantine_components as dmc
from dash import ClientsideFunction, Dash, Input, Output, State, dcc, html, no_update

from costmodel.dashboard import first, results
from costmodel.dashboard.catalogue import Catalogue
from costmodel.dashboard.own import Own
from costmodel.dashboard.pages import compare, design, explorer, filters, sweeps
from costmodel.dashboard.pages.choices import MAX_PINS
from costmodel.dashboard.pages.common import aria
from costmodel.dashboard.state import FIELDS, parse
from costmodel.dashboard.sweeps import Sweep, open_folders
from costmodel.views.plots.palette import CYCLE, THEMES

#: Largest request; an uploaded target file, base64-encoded, is the largest thing that a browser sends.
MAX_REQUEST = 2 * 1024 * 1024
#: Longest text of a pinned design: two names and a folding of a deep network.
MAX_PIN = 3500
TABS = (("explorer", "Explorer"), ("design", "Design"), ("compare", "Compare"), ("sweeps", "Sweeps"))
#: What a page may load: itself. Plotly compiles small functions, hence unsafe-eval.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; "
    "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)
LOCAL = ("127.0.0.1", "localhost", "[::1]")


class Application(Dash):
    """Dash, with the first screen in its page before the scripts that make it live."""

    catalogue: Catalogue | None = None

    def interpolate_index(self, *given: Any, **pieces: Any) -> str:
        from flask import request

        link = parse(request.query_string.decode("ascii", "replace"))
        shown = first.page(self.catalogue, link) if self.catalogue else ""
        parent: Any = super()
        return str(parent.interpolate_index(*given, **{**pieces, "app_entry": shown + pieces["app_entry"]}))


def make_app(
    folder: Path = results.DATA,
    sweep_folders: Sequence[Path] = (),
    hosts: Sequence[str] | None = LOCAL,
    own: Own | None = None,
) -> Dash:
    """The application over a folder of results and result folders of sweeps.

    ``hosts`` are the names by which it may be addressed, so that no page of another site can speak to it under a name
    of its own; None allows any. Raises :class:`CostmodelError` where the results cannot be read.
    """
    found = open_folders(list(sweep_folders))
    catalogue = Catalogue(folder, own, found, len(sweep_folders))
    app = Application(
        "costmodel",
        title="costmodel",
        update_title="",
        suppress_callback_exceptions=True,
        serve_locally=True,
        assets_folder=str(Path(__file__).parent / "assets"),
        on_error=_failed,
        meta_tags=[
            {"name": "viewport", "content": "width=device-width, initial-scale=1"},
            {"name": "description", "content": "What binary neural networks cost on hardware"},
        ],
    )
    app.catalogue = catalogue
    app.index_string = app.index_string.replace("<html>", '<html lang="en">')
    _guard(app, hosts)
    app.layout = dmc.MantineProvider(
        [
            dcc.Location(id="url", refresh=False),
            dcc.Store(id="written"),
            dcc.Store(id="went"),
            dcc.Store(id="narrow"),
            html.Div([html.P("Loading the results …", className="summary", style={"padding": "2rem"})], id="root"),
        ],
        id="mantine",
        theme={"primaryColor": "blue", "defaultRadius": "sm", "fontFamily": "inherit"},
    )
    catalogue.start()
    _shell(app, catalogue, found)
    explorer.register(app, catalogue)
    design.register(app, catalogue)
    compare.register(app, catalogue)
    sweeps.register(app, catalogue, found)
    return app


def _shell(app: Dash, catalogue: Catalogue, found: list[Sweep]) -> None:
    """The frame, built from the link when the page is opened and when the browser goes back or forward; in between the
    browser writes the link and reads it no more."""

    # A link's values are read in the browser from these components, in the order of FIELDS.
    keys = list(FIELDS)
    defaults = {k: FIELDS[k][2] for k in keys} | {"with": filters.with_default(catalogue)}
    defaults |= {"sweep": ["0"] if found else []}

    @app.callback(Output("root", "children"), Input("url", "search"), Input("went", "data"))
    def show(search: str | None, went: Any) -> Any:
        link = parse(str(went["search"]) if isinstance(went, dict) and "search" in went else search)
        tab = link.one("tab", [name for name, _ in TABS])
        theme = link.one("theme", THEMES)
        pages = {
            "explorer": explorer.layout(catalogue, link),
            "design": design.layout(catalogue, link),
            "compare": compare.layout(catalogue, link),
            "sweeps": sweeps.layout(found, link),
        }
        pins = list(dict.fromkeys(str(p)[:MAX_PIN] for p in link.values["pin"]))[:MAX_PINS]
        notices = [html.P(text) for text in link.messages]
        return html.Div(
            [
                html.A("Skip to the page", href="#views", className="skip"),
                html.Header(
                    [
                        html.H1("costmodel"),
                        html.Div(
                            [
                                html.Button("Copy link", id="copy-link", className="link", type="button"),
                                html.Span("", id="copied", role="status", className="hint"),
                                dmc.SegmentedControl(
                                    id="theme",
                                    size="xs",
                                    value=theme,
                                    data=[{"value": "light", "label": "light"}, {"value": "dark", "label": "dark"}],
                                    **aria("colours"),
                                ),
                            ],
                            className="row",
                        ),
                    ]
                ),
                html.Div(notices, id="notice", role="alert", className="notice" if notices else ""),
                dcc.Store(id="pins", data=pins),
                dcc.Store(id="keys", data={"keys": keys, "defaults": defaults}),
                dcc.Store(id="x-version", data=catalogue.pricing.version),
                dcc.Interval(id="pulse", interval=2000, disabled=not catalogue.pricing.pending),
                html.Main(
                    dmc.Tabs(
                        [
                            dmc.TabsList([dmc.TabsTab(title, value=name, id=f"tab-{name}") for name, title in TABS]),
                            *(dmc.TabsPanel(pages[name], value=name) for name, _ in TABS),
                        ],
                        id="tabs",
                        value=tab,
                        variant="outline",
                    ),
                    id="views",
                    tabIndex=-1,
                ),
                html.Footer(
                    f"{len(catalogue.networks)} networks on {len(catalogue.targets)} targets, every constant with "
                    "its source. Intervals hold what the constants leave open."
                ),
            ],
            id="shell",
            className="shell",
            **{"data-theme": theme},
        )

    @app.callback(
        Output("x-version", "data"),
        Output("pulse", "disabled"),
        Output("pending", "children"),
        Input("pulse", "n_intervals"),
        Input("upload-said", "children"),
        Input("x-sweeps", "value"),
        State("x-version", "data"),
    )
    def told(_: Any, _said: Any, folders: Any, version: Any) -> Any:
        """While designs of the user's own, or members of sweeps, are priced, the figure follows."""
        catalogue.explore(folders or ())
        work, now = catalogue.pricing, catalogue.pricing.version
        said = [f"Pricing: {work.done:,} of {work.total:,} designs."] if work.pending else []
        said += catalogue.explorations.said(folders or ())
        return no_update if version == now else now, not work.pending, " ".join(said)

    clientside: Any = app.clientside_callback
    clientside(
        ClientsideFunction("costmodel", "write"),
        Output("written", "data"),
        [Input(FIELDS[k][0], FIELDS[k][1]) for k in keys],
        State("keys", "data"),
    )
    clientside(ClientsideFunction("costmodel", "narrow"), Output("narrow", "data"), Input("url", "pathname"))
    clientside(ClientsideFunction("costmodel", "paint"), Output("mantine", "forceColorScheme"), Input("theme", "value"))
    clientside(
        ClientsideFunction("costmodel", "copy"),
        Output("copied", "children"),
        Input("copy-link", "n_clicks"),
        prevent_initial_call=True,
    )


def _guard(app: Dash, hosts: Sequence[str] | None) -> None:
    from flask import Flask, Response, abort, request

    server: Flask = app.server
    server.config["MAX_CONTENT_LENGTH"] = MAX_REQUEST

    @server.before_request
    def addressed() -> None:
        name = request.host.rsplit(":", 1)[0] if not request.host.endswith("]") else request.host
        if hosts is not None and name not in hosts:
            abort(403, "This address is not served.")

    @server.after_request
    def headers(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        return response


def _failed(error: Exception) -> None:
    """What goes wrong in a callback is said on the page in a sentence; the trace is for the terminal."""
    from dash import set_props

    from costmodel.errors import CostmodelError

    if not isinstance(error, CostmodelError):
        logging.getLogger("costmodel.dashboard").error("a callback failed", exc_info=error)
    text = str(error) if isinstance(error, CostmodelError) else "That did not work; the terminal says why."
    set_props("notice", {"children": [html.P(text)], "className": "notice"})


def stylesheet() -> str:
    """Colours of both themes as CSS variables, from the one palette."""
    blocks = []
    for theme in THEMES.values():
        names = ("ground", "panel", "ink", "muted", "line", "accent", "faded")
        rules = "".join(f"--{n}:{getattr(theme, n)};" for n in names)
        blocks.append(f'[data-theme="{theme.name}"]{{{rules}}}')
    blocks.append(":root{" + "".join(f"--c{i}:{c};" for i, c in enumerate(CYCLE)) + "}")
    return "\n".join(blocks) + "\n"
