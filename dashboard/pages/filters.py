"""The left side of the explorer: axes, filters, constraints, and how designs are drawn."""

from __future__ import annotations

from typing import Any

from dash import html

from costmodel.dashboard.answer import DATA, KINDS
from costmodel.dashboard.catalogue import Catalogue
from costmodel.dashboard.pages.common import constraints, metric_options, options, select, several, switch_of
from costmodel.dashboard.selection import MOST, SCOPES
from costmodel.dashboard.state import State as Link
from costmodel.metrics import METRICS

#: Attributes by which designs are coloured, and what they are called.
WORDS = {"origin": "where its choices come from"}
COLOURS = ("kind", "family", "normaliser", "topology", "bits", "network", "target", "scope", "evidence", "origin")
EVIDENCE = ("all", "measured", "published", "given")
SCALES = (("log", "log"), ("linear", "linear"))


def layout(catalogue: Catalogue, link: Link) -> list[Any]:
    axes = [name for name, m in METRICS.items() if m.headline or m.of_network or m.name == "accuracy"]
    datasets = catalogue.values("dataset")

    def axis(name: str, label: str) -> list[Any]:
        return [
            select(name, label, metric_options(axes), link.one(name, axes)),
            _switch(link, f"{name}-scale", f"Scale of the {label.lower()}", f"{name}s", SCALES),
        ]

    def filtered(name: str, label: str, key: str = "", title: Any = str) -> Any:
        values = catalogue.values(name)
        return several(name, label, options(values, title), link.many(key or name, values))

    what = [
        select("dataset", "Data set", options(datasets, lambda n: DATA.get(n, n)), link.one("data", datasets)),
        *axis("y", "Vertical axis"),
        *axis("x", "Horizontal axis"),
        select(
            "scope",
            "Energy of",
            [{"value": MOST, "label": "what most designs have"}, *options(SCOPES)],
            link.one("scope", (MOST, *SCOPES)),
            description="Energy of a chip's core is not compared with that of a board.",
        ),
    ]
    folders = {str(n): sweep.name for n, sweep in enumerate(catalogue.explorations.sweeps)}
    swept = several(
        "x-sweeps",
        "Members of sweeps, too",
        [{"value": n, "label": name} for n, name in folders.items()],
        link.many("with", folders, with_default(catalogue)),
        placeholder="none",
        description="Foldings, clocks and mappings of exact fronts and of your sweeps, next to default choices.",
    )
    which = [
        constraints("constraints", link.values["where"]),
        filtered("kind", "Kind of target", title=lambda k: KINDS.get(k, k)),
        filtered("target", "Targets"),
        filtered("network", "Networks", "only"),
        _switch(link, "fit", "On the device", "fit", (("all", "all"), ("fits", "fits"), ("not", "does not"))),
        _switch(link, "incomplete", "Incomplete figures", "bounds", (("off", "off fronts"), ("on", "on fronts"))),
    ]
    network = [
        _switch(link, "evidence", "Accuracy", "evidence", tuple((v, v) for v in EVIDENCE)),
        filtered("family", "Family"),
        filtered("topology", "Topology"),
        filtered("normaliser", "Normaliser", "norm"),
        filtered("bits", "Bits (weight, activation)"),
    ]
    drawn = [
        select("colour", "Colour by", options(COLOURS, lambda n: WORDS.get(n, n)), link.one("colour", COLOURS)),
        _switch(link, "bars", "Intervals", "bars", (("none", "none"), ("front", "front"), ("all", "all"))),
    ]
    return [html.Div(group, className="group") for group in (what, which, [swept], network, drawn)]


def with_default(catalogue: Catalogue) -> list[str]:
    """The sweeps whose members are in the figure where nothing else is said: the user's own."""
    return [str(n) for n in range(catalogue.explorations.own)]


def _switch(link: Link, id: str, label: str, key: str, data: tuple[tuple[str, str], ...]) -> Any:
    return switch_of(id, label, data, link.one(key, [v for v, _ in data]))
