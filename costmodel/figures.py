"""Figures of nouns, as objects of matplotlib or plotly: trade-off, by layer, by component, side by side, roofline.

>>> from costmodel import figures
>>> figures.by_layer(profile.estimate("fpga"), "energy_J").savefig("layers.pdf")
>>> figures.trade_off(front, "seconds_per_image", "energy_J", engine="plotly").show()

``engine`` is ``matplotlib`` (a :class:`matplotlib.figure.Figure`, for papers; needs the extra ``reports``) or
``plotly`` (a :class:`plotly.graph_objects.Figure`, for pages that react; needs ``dashboard``). A notebook shows both.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from costmodel.errors import CostmodelError, MissingExtraError, name_of
from costmodel.ledger.ledger import Ledger, Profile
from costmodel.metrics import metric as row_of
from costmodel.targets.comparison import Comparison
from costmodel.targets.estimate import Estimate
from costmodel.targets.quantity import Interval
from costmodel.views.numbers import show
from costmodel.views.plots import breakdown
from costmodel.views.plots.roofline import roofline as roofline_of
from costmodel.views.plots.scatter import Design, scatter

if TYPE_CHECKING:
    from costmodel.explore.front import Front, Member

__all__ = ["ENGINES", "by_component", "by_layer", "roofline", "side_by_side", "trade_off"]

ENGINES = ("matplotlib", "plotly")
#: A ``matplotlib.figure.Figure`` or a ``plotly.graph_objects.Figure``.
Figure: TypeAlias = Any
#: Room for the label of an axis, as a share of the height of a figure.
LABEL = 0.09
#: A logarithmic axis is for values that differ by more than this.
DECADE = 10.0


def by_layer(what: Profile | Ledger | Estimate, metric: str = "", *, engine: str = "matplotlib") -> Figure:
    """Bars in order of execution: of an estimate a ``metric`` by component, of a ledger (of a profile the deployed one)
    its operations by kind, or the ``bits`` that it moves by role.

    Raises :class:`CostmodelError` for a metric that is not a sum over layers.
    """
    if isinstance(what, Estimate):
        name = row_of(metric or "energy_J").name
        what.by_layer(name)  # says what is wrong with the metric
        info = breakdown.costs(what, name)
    else:
        ledger = what.deployed if isinstance(what, Profile) else what
        bits = name_of("quantity of a ledger", metric or "operations", ("operations", "bits")) == "bits"
        info = breakdown.traffic(ledger) if bits else breakdown.operations(ledger)
    if _engine(engine) == "plotly":
        from costmodel.dashboard.figures import stacked

        return _plotly(stacked(info, _light()))
    return _paper(info, "layers", info.layers)


def by_component(estimate: Estimate, metric: str = "energy_J", *, engine: str = "matplotlib") -> Figure:
    """A metric by part of the hardware, the largest first, each with its interval."""
    return _intervals(breakdown.split(estimate, row_of(metric).name), engine)


def side_by_side(
    what: Comparison | Sequence[Estimate], metric: str = "energy_J", *, engine: str = "matplotlib"
) -> Figure:
    """The total of a metric of several networks and targets, each with its interval; those that have none are left out.

    Raises :class:`CostmodelError` where none has it.
    """
    name = row_of(metric).name
    found = [(f"{e.network} on {e.target}", e) for e in _estimates(what) if e.has(name)]
    if not found:
        raise CostmodelError(f"none of these has a figure of {row_of(name).word}")
    return _intervals(breakdown.side_by_side(found, name), engine)


def trade_off(
    what: Front | Comparison | Sequence[Estimate], x: str = "", y: str = "", *, engine: str = "matplotlib"
) -> Figure:
    """Designs in the plane of two metrics, the Pareto-optimal ones joined; ``accuracy`` is one of a front that has it.

    By default the axes are the first two objectives of a front, or latency and energy. Estimates are shown with their
    intervals. Axes are logarithmic where values differ by more than a factor of ten.

    Raises :class:`CostmodelError` where no design has both metrics.
    """
    front: Any = what if hasattr(what, "members") else None
    if front is None:
        designs = [
            Design(f"{i}", f"{e.network} on {e.target}", e.target, e.totals(), misfit="; ".join(e.misfit))
            for i, e in enumerate(_estimates(what))
        ]
        default = ("latency_s", "energy_J")
    else:
        designs = [
            Design(f"{m.id}", _named(m), f"{m.network} on {m.target}",
                   {name: Interval.exact(value) for name, value in m.metrics.items()})
            for m in front.members
        ]  # fmt: skip
        default = (*front.objectives, *front.objectives)[:2]
    across, up = row_of(x or default[0]).name, row_of(y or default[1]).name
    info = scatter(designs, across, up, lambda design: design.misfit)
    if not info.points:
        raise CostmodelError(f"no design has both {row_of(across).word} and {row_of(up).word}")
    x_log, y_log = _spread([p.x.value for p in info.points]), _spread([p.y.value for p in info.points])
    if _engine(engine) == "plotly":
        from costmodel.dashboard.figures import trade_off as drawn

        return _plotly(drawn(info, _light(), x_log=x_log, y_log=y_log))
    from costmodel.views.plots.draw import trade_off_figure

    return _displayed(trade_off_figure(info, x_log=x_log, y_log=y_log))


def _named(member: Member) -> str:
    """What tells a design of a front from others: its options, else its network."""
    said = [f"{k} {show(v) if isinstance(v, (int, float)) else v}" for k, v in member.settings.items()]
    return ", ".join(said) or member.network


def roofline(estimate: Estimate, *, engine: str = "matplotlib") -> Figure:
    """How fast each layer computes against how much it computes per byte moved
    (:mod:`costmodel.views.plots.roofline`).

    Raises :class:`CostmodelError` for a design whose latency belongs to no layer, such as a pipeline.
    """
    info = roofline_of(estimate)
    if _engine(engine) == "plotly":
        from costmodel.dashboard.figures import roofline as drawn

        figure = drawn(info, _light())
        figure["layout"]["title"] = {"text": info.title}
        return _plotly(figure)
    from costmodel.views.plots.draw import roofline_figure

    return _displayed(roofline_figure(info))


def _intervals(info: breakdown.IntervalInfo, engine: str) -> Figure:
    if _engine(engine) == "plotly":
        from costmodel.dashboard.figures import intervals

        return _plotly(intervals(info, _light()))
    return _paper(info, "intervals")


def _paper(info: Any, form: Any, order: tuple[int, ...] = ()) -> Figure:
    """A figure in the style of the reports."""
    from costmodel.reports.figures.data import Panel, Plot
    from costmodel.reports.figures.draw import figure, styled

    with styled("costmodel"):
        made = figure(Plot((Panel(info, form, order=order),)))
        if form == "layers":  # alone, it has nothing below that says what stands on the axis
            axes = made.axes[0]
            box = axes.get_position()
            axes.set_position((box.x0, box.y0 + LABEL, box.width, box.height - LABEL))
            axes.set_xlabel("layer, in order of execution")
        made.draw_without_rendering()  # ticks take their style when they are first drawn
        return _displayed(made)


def _displayed(figure: Figure) -> Figure:
    """The figure, which a notebook shows: matplotlib's own are shown only where pyplot made them."""
    figure._repr_svg_ = partial(_svg, figure)
    return figure


def _svg(figure: Figure) -> str:
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None})
    return out.getvalue()


def _plotly(figure: dict[str, Any]) -> Figure:
    try:
        import plotly.graph_objects as go
    except ImportError:
        raise MissingExtraError("a figure of plotly", "plotly", "dashboard") from None
    return go.Figure(figure)


def _light() -> Any:
    from costmodel.dashboard.figures import theme_of

    return theme_of("light")


def _engine(given: str) -> str:
    return name_of("engine", given, ENGINES)


def _estimates(what: Any) -> list[Estimate]:
    return [e for row in what.estimates for e in row] if isinstance(what, Comparison) else list(what)


def _spread(values: Sequence[float]) -> bool:
    return min(values) > 0 and max(values) > DECADE * min(values)
