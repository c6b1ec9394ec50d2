"""How profiles, ledgers and estimates are shown; other nouns say so next to their own tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from costmodel.ledger.ledger import Ledger, Profile
from costmodel.views import bill, counts, frames, numbers
from costmodel.views.table import Table
from costmodel.views.view import Make, View

if TYPE_CHECKING:
    from costmodel.targets.estimate import Estimate


def profile(made: Profile) -> View:
    """A profile: what its deployed ledger has, both levels, and the rewrites between them."""
    from costmodel.views import notebook
    from costmodel.views import profile as views

    inner = ledger(made.deployed)
    level = {"level": lambda: frames.levels(made), "rewrite": lambda: frames.rewrites(made)}
    shown = {
        "level": lambda: counts.levels(made, numbers.count),
        "rewrite": lambda: counts.rewrites(made, numbers.count),
    }
    return View(
        lambda: views.tables(made, made.deployed, [], views.Asked()),
        {**inner.parts, **level},
        lambda: views.document(made, made.deployed, []),
        {**(inner.shown or {}), **shown},
        lambda: notebook.profile_html(made),
    )


def ledger(made: Ledger) -> View:
    """A ledger: the tree of layers for people, one row per layer for programs."""
    title = f"{made.network}, {made.level.replace('_', ' ')}"

    def named(make: Callable[[Ledger, Any], Table]) -> Make:
        return lambda: replace(make(made, numbers.count), title=title)

    tables: dict[str, Callable[[Ledger, Any], Table]] = {
        "module": counts.by_module, "kind": counts.by_kind, "tag": counts.by_tag,
    }  # fmt: skip
    shown = {name: named(make) for name, make in tables.items()}
    shown["layer"] = named(lambda of, show: counts.by_layer(of, show, fold=True))
    return View(
        lambda: [shown["layer"]()],
        {
            "layer": lambda: frames.layers(made), **{name: _raw(make, made) for name, make in tables.items()},
            "charge": lambda: frames.charges(made), "traffic": lambda: frames.traffic(made),
        },
        lambda: {
            "network": made.network, "level": made.level, "totals": made.by_kind(), "weight_bits": made.weight_bits(),
            "layers": frames.layers(made).records(),
        },
        shown,
    )  # fmt: skip


def _raw(make: Callable[[Ledger, Any], Table], made: Ledger) -> Make:
    return lambda: make(made, numbers.plain)


def estimate(made: Estimate) -> View:
    """An estimate: totals with intervals, then by layer, component and constant."""
    from costmodel.views import notebook

    shown = {
        "total": lambda: bill.totals(made), "component": lambda: bill.components(made),
        "constant": lambda: bill.constants(made),
    }  # fmt: skip
    if made.ledger is not None:
        shown["layer"] = lambda: bill.by_layer(made, made.ledger, fold=True)  # type: ignore[arg-type]
    return View(
        lambda: [bill.totals(made)],
        {
            "total": lambda: frames.totals(made), "layer": lambda: frames.costs(made),
            "component": lambda: frames.components(made), "constant": lambda: frames.constants(made),
            "line": lambda: frames.lines(made),
        },
        lambda: bill.document(made),
        shown,
        lambda: notebook.estimate_html(made),
    )  # fmt: skip
