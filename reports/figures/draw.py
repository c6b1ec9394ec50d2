"""Every figure on paper: matplotlib, one style, text as outlines, and the same bytes for the same data."""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from costmodel.errors import MissingExtraError
from costmodel.metrics import Metric
from costmodel.reports.figures.data import Panel, Plot
from costmodel.validate.figures import COLOURS as SPLIT_COLOURS
from costmodel.validate.figures import Scatter as Agreement
from costmodel.views.numbers import show
from costmodel.views.plots.breakdown import IntervalInfo, StackInfo
from costmodel.views.plots.palette import CYCLE, KIND_COLOURS, LIGHT, ROLE_COLOURS, colours
from costmodel.views.plots.scatter import ScatterInfo

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Width of the text block on A4 and Letter with the margins of the template, in millimetres.
WIDTH = 166.0
INCH = 25.4
#: Points from which they are drawn small, and the line of the front over them.
CROWD = 500
#: Characters of a label next to intervals; width of a character of the size of ticks in millimetres.
LABEL, LETTER = 30, 1.35
#: Millimetres left, right, above and below of the axes of each form, for labels and legends.
MARGINS = {
    "layers": (9.0, 23.0, 5.5, 3.5),
    "intervals": (0.0, 4.0, 5.0, 6.0),
    "trade-off": (14.5, 2.5, 5.0, 10.0),
    "agreement": (14.0, 4.0, 5.0, 9.0),
}
STYLE: dict[str, Any] = {
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",
    "font.size": 7.0,
    "axes.titlesize": 7.5,
    "axes.labelsize": 7.0,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "legend.fontsize": 6.5,
    "axes.linewidth": 0.5,
    "axes.edgecolor": LIGHT.muted,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": LIGHT.ink,
    "ytick.color": LIGHT.ink,
    "xtick.major.width": 0.5,
    "ytick.major.width": 0.5,
    "xtick.major.size": 2.0,
    "ytick.major.size": 2.0,
    "grid.color": LIGHT.line,
    "grid.linewidth": 0.4,
    "axes.grid": True,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "text.color": LIGHT.ink,
    "axes.labelcolor": LIGHT.ink,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.titley": 1.0,  # else matplotlib measures every label to find a place for the title
}
#: What draws a figure under a name: :func:`svg`, or what has drawn it before.
Draw: TypeAlias = Callable[[Plot, str], bytes]
MARKERS = ("o", "s", "^", "D", "v", "p", "*", "h")


def svg(plot: Plot, name: str) -> bytes:
    """The figure as SVG of the text's width. ``name`` makes its internal identifiers, so it has to be unique.

    Raises :class:`MissingExtraError` without matplotlib.
    """
    with styled(name):
        from matplotlib.backends.backend_svg import FigureCanvasSVG

        out = io.BytesIO()
        # savefig would draw twice, the first time for nothing
        canvas: Any = FigureCanvasSVG(figure(plot))  # untyped
        canvas.print_svg(out, metadata={"Date": None, "Creator": None})
    return out.getvalue()


@contextlib.contextmanager
def styled(name: str) -> Iterator[None]:
    """The style of all figures; raises :class:`MissingExtraError` without matplotlib."""
    try:
        import matplotlib as mpl
    except ImportError as error:
        raise MissingExtraError("a figure", "matplotlib", "reports") from error
    style: Any = {**STYLE, "svg.hashsalt": name}  # matplotlib types the names of its settings one by one
    with mpl.rc_context(style):
        yield


def figure(plot: Plot) -> Figure:
    """The figure as matplotlib has it, in the style that is in force."""
    from matplotlib.figure import Figure

    rows = -(-len(plot.panels) // plot.columns)
    size = WIDTH, rows * plot.height
    made = Figure(figsize=(size[0] / INCH, size[1] / INCH))
    for index, panel in enumerate(plot.panels):
        axes = made.add_axes(_box(panel, index, plot, size))
        _DRAW[panel.form](axes, panel)
        if any(below.order == panel.order for below in plot.panels[index + 1 :] if panel.order):
            axes.tick_params(labelbottom=False)
    return made


def _box(panel: Panel, index: int, plot: Plot, size: tuple[float, float]) -> tuple[float, float, float, float]:
    """Where the axes lie, as shares of the figure; margins are fixed, as a layout engine would have to draw first."""
    left, right, top, bottom = MARGINS[panel.form]
    if (
        panel.form == "intervals"
    ):  # as wide as the longest label of all panels, so that their axes stand below each other
        labels = [label for p in plot.panels if isinstance(p.info, IntervalInfo) for label in p.info.labels]
        left = min(4.0 + LETTER * min(max(map(len, labels), default=0), LABEL), 0.55 * size[0] / plot.columns)
    if panel.form == "trade-off":
        bottom += 3.2 * _legend_rows(panel)
    width = size[0] / plot.columns
    row, column = divmod(index, plot.columns)
    x, y = column * width, size[1] - (row + 1) * plot.height
    across, up = width - left - right, plot.height - top - bottom
    return (x + left) / size[0], (y + bottom) / size[1], across / size[0], up / size[1]


def _legend_rows(panel: Panel) -> int:
    if panel.marked:
        return min(len(panel.marked), 8)
    assert isinstance(panel.info, ScatterInfo)
    series = {point.series for point in panel.info.points}
    return len(series) if 1 < len(series) <= 8 else 0


def _layers(axes: Any, panel: Panel) -> None:
    """Columns over the numbers of the layers, so that panels of one figure stand exactly below each other."""
    from matplotlib.patches import StepPatch

    info = panel.info
    assert isinstance(info, StackInfo)
    places = {layer: at for at, layer in enumerate(panel.order) if layer is not None}
    most = max(map(sum, zip(*info.series.values(), strict=True)), default=0.0)
    most = panel.limits[1] if panel.limits else most
    factor, unit = _prefix(most, info.unit)
    _title(axes, (panel.title or info.title) + f" [{unit or 'count'}]")
    if info.empty:
        _nothing(axes)
        return
    fixed = colours(info.series, {**KIND_COLOURS, **ROLE_COLOURS})
    edges = [at + 0.5 for at in range(len(panel.order) + 1)]
    base: Any = [0.0] * len(panel.order)  # matplotlib types it as one number
    for name, values in _largest(info.series).items():
        top = list(base)
        for layer, value in zip(info.layers, values, strict=True):
            top[places[layer]] += value / factor
        # as an artist and not by stairs(), which measures every segment for limits that are known
        axes.add_artist(
            StepPatch(
                top,
                edges,
                baseline=base,
                fill=True,
                linewidth=0,
                color=fixed.get(name, LIGHT.faded),
                label=name.replace("_", " "),
            )
        )
        base = top
    axes.set(xlim=(0.5, len(panel.order) + 0.5), ylim=(0.0, 1.05 * most / factor))
    axes.grid(axis="x", visible=False)
    axes.legend(
        loc="upper left",
        bbox_to_anchor=(1.0, 1.12),
        fontsize=6,
        handlelength=0.9,
        borderaxespad=0.2,
        labelspacing=0.02,
    )


def _largest(series: Any, most: int = 7) -> dict[str, tuple[float, ...]]:
    """The series as they are, those beyond the seventh added into one."""
    names = list(series)
    if len(names) <= most + 1:
        return dict(series)
    rest = tuple(map(sum, zip(*(series[n] for n in names[most:]), strict=True)))
    return {**{n: series[n] for n in names[:most]}, "others": rest}


def _intervals(axes: Any, panel: Panel) -> None:
    info = panel.info
    assert isinstance(info, IntervalInfo)
    low, high = panel.limits or (min(info.low, default=0.0), max(info.high, default=0.0))
    factor, unit = _prefix(max(abs(low), abs(high)), info.unit)
    _title(axes, (panel.title or info.title) + (f" [{unit}]" if unit else ""))
    if not info.values:
        _nothing(axes)
        return
    for i, (value, least, most) in enumerate(zip(info.values, info.low, info.high, strict=True)):
        colour = CYCLE[i % len(CYCLE)]
        axes.plot([least / factor, most / factor], [i, i], color=colour, linewidth=1.4, solid_capstyle="butt")
        axes.plot([value / factor], [i], MARKERS[i % len(MARKERS)], color=colour, markersize=3.6)
    axes.set_yticks(range(len(info.labels)), [_short(label, LABEL) for label in info.labels])
    least, most = min(0.0, low) / factor, max(0.0, high) / factor
    axes.set(xlim=(1.05 * least, 1.05 * most or 1.0), ylim=(len(info.labels) - 0.5, -0.5))
    axes.grid(axis="y", visible=False)


def _trade_off(axes: Any, panel: Panel) -> None:
    info = panel.info
    assert isinstance(info, ScatterInfo)
    _title(axes, panel.title)
    if not info.points:
        _nothing(axes)
        return
    fx, x_unit = _prefix(_middle([p.x.value for p in info.points]), info.x.unit)
    fy, y_unit = (
        (1.0, info.y.unit) if info.y.unit == "%" else _prefix(_middle([p.y.value for p in info.points]), info.y.unit)
    )
    xs, ys = info.steps()
    crowded = len(info.points) > CROWD
    line = {"color": LIGHT.ink, "zorder": 4} if crowded else {"color": LIGHT.muted, "zorder": 1}
    axes.plot([x / fx for x in xs], [y / fy for y in ys], linewidth=0.8, **line)
    plain = [p for p in info.points if p.id not in panel.marked]
    table = colours([p.series for p in plain])
    single = len(table) == 1
    for k, series in enumerate(table):
        part = [p for p in plain if p.series == series]
        colour = LIGHT.faded if panel.marked else table[series]
        axes.plot(
            [p.x.value / fx for p in part],
            [p.y.value / fy for p in part],
            MARKERS[k % len(MARKERS)],
            color=colour,
            markersize=1.2 if crowded else 2.8,
            linestyle="none",
            label=None if single or panel.marked else _short(series, int(_width(axes) / 1.35)),
            zorder=2,
        )
    for k, point in enumerate(p for p in info.points if p.id in panel.marked):
        colour = CYCLE[k % len(CYCLE)]
        low, high = point.x.value - point.x.low, point.x.high - point.x.value
        axes.errorbar(
            [point.x.value / fx],
            [point.y.value / fy],
            xerr=[[max(low, 0) / fx], [max(high, 0) / fx]],
            fmt=MARKERS[k % len(MARKERS)],
            color=colour,
            markersize=4.2,
            linewidth=0.9,
            capsize=1.5,
            label=_short(point.label, int(_width(axes) / 1.35)),
            zorder=3,
        )
    values = [p.x.value for p in info.points if p.x.value > 0]
    if values and max(values) > 8 * min(values):
        axes.set_xscale("log")
        _plain_ticks(axes.xaxis)
    else:
        axes.locator_params(axis="x", nbins=4)  # numbers of five digits stay apart
    heights = [p.y.value for p in info.points]
    if not panel.marked and min(heights) > 0 and max(heights) > 8 * min(heights):
        axes.set_yscale("log")
        _plain_ticks(axes.yaxis)
    if panel.limits:
        low, high = panel.limits
        axes.set_ylim((low - 0.04 * (high - low)) / fy, (high + 0.04 * (high - low)) / fy)
    axes.set_xlabel(_label(info.x, x_unit))
    axes.set_ylabel(_label(info.y, y_unit))
    handles, _ = axes.get_legend_handles_labels()
    if handles and len(handles) <= 8:
        axes.legend(
            loc="upper center",
            bbox_to_anchor=(0.5, -8.5 / _height(axes)),
            handlelength=1.2,
            borderaxespad=0.0,
            labelspacing=0.25,
        )


def _agreement(axes: Any, panel: Panel) -> None:
    info = panel.info
    assert isinstance(info, Agreement)
    _title(axes, panel.title)
    places = [*(p[:2] for p in info.points), *info.baseline_points]
    values = [v for place in places for v in place if v > 0]
    low, high = min(values) / 1.5, max(values) * 1.5
    axes.plot([low, high], [low, high], color=LIGHT.ink, linewidth=0.6)
    axes.fill_between(
        [low, high], [0.9 * low, 0.9 * high], [1.1 * low, 1.1 * high], color=LIGHT.line, linewidth=0, alpha=0.6
    )
    if info.baseline_points:
        axes.plot(
            *zip(*info.baseline_points, strict=True),
            "x",
            color=CYCLE[1],
            markersize=3.2,
            markeredgewidth=0.8,
            label=_escape(_cut(info.baseline, 26)),
        )
    for k, split in enumerate(dict.fromkeys(p[4] for p in info.points)):
        part = [p for p in info.points if p[4] == split]
        bars = [[max(p[1] - p[2], 0) for p in part], [max(p[3] - p[1], 0) for p in part]]
        axes.errorbar(
            [p[0] for p in part],
            [p[1] for p in part],
            yerr=bars,
            fmt=MARKERS[k],
            markersize=2.8,
            linewidth=0.7,
            color=SPLIT_COLOURS.get(split, LIGHT.ink),
            label=split,
        )
    axes.set(xscale="log", yscale="log", xlim=(low, high), ylim=(low, high))
    axes.set_aspect("equal", adjustable="box")
    for axis in (axes.xaxis, axes.yaxis):
        _plain_ticks(axis)
    axes.set_xlabel(f"measured [{info.unit}]")
    axes.set_ylabel(f"estimate [{info.unit}]")
    axes.legend(loc="upper left", handlelength=1.0)


def _width(axes: Any) -> float:
    """Width of the axes in millimetres."""
    return float(axes.get_position().width * axes.figure.get_size_inches()[0] * INCH)


def _height(axes: Any) -> float:
    """Height of the axes in millimetres."""
    return float(axes.get_position().height * axes.figure.get_size_inches()[1] * INCH)


def _plain_ticks(axis: Any) -> None:
    """At most a handful of ticks on a logarithmic axis, written as numbers."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

    low, high = sorted(axis.get_view_interval())
    decades = math.log10(high / low) if low > 0 else 1.0
    subs = (1.0, 2.0, 5.0) if decades < 1.7 else (1.0, 3.0) if decades < 3 else (1.0,)
    axis.set_major_locator(LogLocator(subs=subs, numticks=12))
    axis.set_major_formatter(
        FuncFormatter(lambda value, _: f"{value:g}" if value < 1e5 else show(value).replace(" ", ""))
    )
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())


def _nothing(axes: Any) -> None:
    axes.text(0.5, 0.5, "nothing to show", ha="center", va="center", transform=axes.transAxes, color=LIGHT.muted)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(visible=False)


def _title(axes: Any, text: str) -> None:
    if text:
        axes.set_title(_escape(_cut(text, int(_width(axes) / 1.45))))


def _label(metric: Metric, unit: str) -> str:
    return f"{metric.title} [{unit}]" if unit else metric.title


def _prefix(size: float, unit: str) -> tuple[float, str]:
    """A power of a thousand and the unit with its prefix: ``size`` has one to three digits before the point."""
    if unit in ("%", "mm²") or size <= 0:
        return 1.0, unit
    power = min(max(3 * math.floor(math.log10(size) / 3), -15), 15)
    if not unit:
        name = {3: "thousands", 6: "millions", 9: "billions", 12: "10¹²", 15: "10¹⁵"}.get(power, "")
        return (10.0**power, name) if name else (1.0, "")
    letters = {-15: "f", -12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T", 15: "P"}
    return 10.0**power, letters[power] + unit


def _middle(values: Sequence[float]) -> float:
    ordered = sorted(abs(v) for v in values)
    return ordered[len(ordered) // 2]


def _short(text: str, most: int) -> str:
    """A long name with its end, which tells names of one family apart."""
    return _escape(text if len(text) <= most else "…" + text[-(most - 1) :])


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _escape(text: str) -> str:
    return text.replace("$", r"\$")


_DRAW = {"layers": _layers, "intervals": _intervals, "trade-off": _trade_off, "agreement": _agreement}
